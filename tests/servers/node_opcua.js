// OPC UA server on npm node-opcua. usage: node node_opcua.js PORT PKI-FOLDER [extra]
// With "extra" another namespace comes first, so that the plant's index differs from the last time.
const { OPCUAServer, OPCUACertificateManager, Variant, DataType, StatusCodes, VariantArrayType } = require("node-opcua");
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
  await server.start();
  console.log("ready");
})();
