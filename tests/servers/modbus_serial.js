// Modbus TCP server on npm modbus-serial. usage: node modbus_serial.js PORT
// Holding registers 0..899 hold their own offset, coils 0..899 are off; whatever is beyond is refused (exception 2).
const ModbusRTU = require("modbus-serial");
const port = Number(process.argv[2]);
const registers = Uint16Array.from({ length: 900 }, (_, i) => i);
const coils = new Array(900).fill(false);
const within = (address) => { if (address >= 900) throw { modbusErrorCode: 2, msg: "illegal data address" }; return address; };
const vector = {
  getHoldingRegister: (a) => registers[within(a)],
  getInputRegister: (a) => registers[within(a)],
  getCoil: (a) => coils[within(a)],
  getDiscreteInput: (a) => coils[within(a)],
  setRegister: (a, value) => { registers[within(a)] = value; },
  setCoil: (a, value) => { coils[within(a)] = value; },
};
const server = new ModbusRTU.ServerTCP(vector, { host: "127.0.0.1", port, unitID: 1 });
server.on("initialized", () => console.log("ready"));
