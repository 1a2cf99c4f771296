// OPC UA server on npm node-opcua. usage: node node_opcua.js PORT PKI-FOLDER [extra]
// With "extra" another namespace comes first, so that the plant's index differs from the last time.
const { OPCUAServer, OPCUACertificateManager, Variant, DataType, StatusCodes, VariantArrayType, ServerStatusDataType } = require("node-opcua");
const [port, pki, extra] = process.argv.slice(2);
(async () => {
  const certificates = new OPCUACertificateManager({ rootFolder: pki, automaticallyAcceptUnknownCertificate: true });
  await certificates.initialize();
  const server = new OPCUAServer({
    port: Number(port), host: "127.0.0.1", hostname: "127.0.0.1", resourcePath: "/plant",
    serverCertificateManager: certificates, userCertificateManager: certificates, disableDiscovery: true,
    allowAnonymous: true, userManager: { isValidUser: (user, password) => user === "op" && password === "s3cret" },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  if (extra) space.registerNamespace("urn:test:other");
  const ns = space.registerNamespace("urn:test:plant");
  const plant = ns.addObject({ organizedBy: space.rootFolder.objects, browseName: "Plant" });
  const values = { Level: [DataType.Double, 7], SetPoint: [DataType.Int16, 7], Siren: [DataType.Boolean, false] };
  for (const [name, [dataType, initial]] of Object.entries(values)) {
    let value = initial;
    ns.addVariable({
      componentOf: plant, nodeId: `s=Plant.${name}`, browseName: name, dataType, minimumSamplingInterval: 50,
      value: { get: () => new Variant({ dataType, value }), set: (v) => { value = v.value; return StatusCodes.Good; } },
    });
  }
  const odd = { NoNumber: ["Double", DataType.Double, NaN], Text: ["String", DataType.String, "PUMP"], Big: ["UInt16", DataType.UInt16, 1234] };
  for (const [name, [type, dataType, value]] of Object.entries(odd)) {
    ns.addVariable({ componentOf: plant, nodeId: `s=Plant.${name}`, browseName: name, dataType: type, value: new Variant({ dataType, value }) });
  }
  ns.addVariable({
    componentOf: plant, nodeId: "s=Plant.List", browseName: "List", dataType: "Double", valueRank: 1,
    value: new Variant({ dataType: DataType.Double, arrayType: VariantArrayType.Array, value: new Float64Array([1, 2]) }),
  });
  const broken = ns.addVariable({ componentOf: plant, nodeId: "s=Plant.Broken", browseName: "Broken", dataType: "Double" });
  broken.setValueFromSource(new Variant({ dataType: DataType.Double, value: 1 }), StatusCodes.BadSensorFailure);
  const worn = ns.addVariable({ componentOf: plant, nodeId: "s=Plant.Worn", browseName: "Worn", dataType: "Double" });
  worn.setValueFromSource(new Variant({ dataType: DataType.Double, value: 3.5 }), StatusCodes.UncertainSensorNotAccurate);
  // A structure of a known type (ServerStatusDataType) whose octets are too few, while Twist is true.
  let twisted = true;
  class Short extends ServerStatusDataType { encode(stream) { stream.writeUInt8(1); } binaryStoreSize() { return 1; } }
  const twistable = () => (twisted ? new Variant({ dataType: DataType.ExtensionObject, value: new Short({}) }) : new Variant({ dataType: DataType.Double, value: 3 }));
  ns.addVariable({ componentOf: plant, nodeId: "s=Plant.Twisted", browseName: "Twisted", dataType: "BaseDataType", minimumSamplingInterval: 50, value: { get: twistable } });
  ns.addVariable({
    componentOf: plant, nodeId: "s=Plant.Twist", browseName: "Twist", dataType: DataType.Boolean, minimumSamplingInterval: 50,
    value: { get: () => new Variant({ dataType: DataType.Boolean, value: twisted }), set: (v) => { twisted = v.value; return StatusCodes.Good; } },
  });
  const levels = Float64Array.from([1, 2]);
  ns.addVariable({
    componentOf: plant, nodeId: "s=Plant.Levels", browseName: "Levels", dataType: "Double", valueRank: 1, accessLevel: "CurrentRead | CurrentWrite",
    value: new Variant({ dataType: DataType.Double, arrayType: VariantArrayType.Array, value: levels }),
  });
  const heat = ns.addVariable({
    componentOf: plant, nodeId: "s=Plant.Heat", browseName: "Heat", dataType: "Double", accessLevel: "CurrentRead | CurrentWrite",
    value: new Variant({ dataType: DataType.Double, value: 20 }),
  });
  space.installAlarmsAndConditionsService();
  plant.setEventNotifier(1);
  space.rootFolder.objects.server.addReference({ referenceType: "HasNotifier", nodeId: plant });
  plant.addReference({ referenceType: "HasEventSource", nodeId: heat });
  ns.instantiateExclusiveLimitAlarm("ExclusiveLimitAlarmType", {
    browseName: "HeatLimit", conditionName: "TooHot", conditionSource: heat, inputNode: heat, componentOf: plant,
    highHighLimit: 90, highLimit: 80, lowLimit: -10, lowLowLimit: -20,
  });
  // While Grow is true there is a node that else is not.
  let grown = false;
  ns.addVariable({
    componentOf: plant, nodeId: "s=Plant.Grow", browseName: "Grow", dataType: DataType.Boolean,
    value: {
      get: () => new Variant({ dataType: DataType.Boolean, value: grown }),
      set: (v) => {
        if (v.value && !grown) {
          ns.addVariable({ componentOf: plant, nodeId: "s=Plant.Late", browseName: "Late", dataType: "Double", value: new Variant({ dataType: DataType.Double, value: 5 }) });
        }
        if (!v.value && grown) space.deleteNode(space.findNode(`ns=${ns.index};s=Plant.Late`));
        grown = v.value;
        return StatusCodes.Good;
      },
    },
  });
  await server.start();
  console.log("ready");
})();
