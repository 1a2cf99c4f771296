// OPC UA server on npm node-opcua that changes all of its variables. usage: node opcua_load.js PORT PKI-FOLDER COUNT PERIOD-MS
// Variables s=V0 … are doubles; each takes a new value every period, all at once.
const { OPCUAServer, OPCUACertificateManager, Variant, DataType } = require("node-opcua");
const [port, pki, count, period] = process.argv.slice(2);
(async () => {
  const certificates = new OPCUACertificateManager({ rootFolder: pki, automaticallyAcceptUnknownCertificate: true });
  await certificates.initialize();
  const server = new OPCUAServer({
    port: Number(port), host: "127.0.0.1", hostname: "127.0.0.1", resourcePath: "/plant", disableDiscovery: true,
    serverCertificateManager: certificates, userCertificateManager: certificates, allowAnonymous: true,
    serverCapabilities: { maxMonitoredItems: 100000, maxMonitoredItemsPerSubscription: 100000 },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const ns = space.registerNamespace("urn:test:load");
  const folder = ns.addObject({ organizedBy: space.rootFolder.objects, browseName: "Load" });
  const variables = Array.from({ length: Number(count) }, (_, i) => ns.addVariable({
    componentOf: folder, nodeId: `s=V${i}`, browseName: `V${i}`, dataType: "Double", minimumSamplingInterval: 10,
    value: new Variant({ dataType: DataType.Double, value: 0 }),
  }));
  await server.start();
  let round = 0;
  setInterval(() => {
    round += 1;
    for (const variable of variables) variable.setValueFromSource({ dataType: DataType.Double, value: round });
  }, Number(period));
  console.log("ready");
})();
