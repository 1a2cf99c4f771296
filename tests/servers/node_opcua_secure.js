// OPC UA server on npm node-opcua with every current policy and mode, and none. usage: node node_opcua_secure.js PORT PKI-FOLDER [URI]
// It trusts every client; user op/s3cret or anonymous. Writing s=Level sets its ServiceLevel.
const { OPCUAServer, OPCUACertificateManager, Variant, DataType, StatusCodes, SecurityPolicy, MessageSecurityMode } = require("node-opcua");
const [port, pki, uri] = process.argv.slice(2);
(async () => {
  const certificates = new OPCUACertificateManager({ rootFolder: pki, automaticallyAcceptUnknownCertificate: true });
  await certificates.initialize();
  const server = new OPCUAServer({
    port: Number(port), host: "127.0.0.1", hostname: "127.0.0.1", resourcePath: "/plant", disableDiscovery: true,
    serverInfo: { applicationUri: uri || "urn:test:secure" },
    serverCertificateManager: certificates, userCertificateManager: certificates, allowAnonymous: true,
    securityPolicies: [SecurityPolicy.None, SecurityPolicy.Basic256Sha256, SecurityPolicy.Aes128_Sha256_RsaOaep, SecurityPolicy.Aes256_Sha256_RsaPss],
    securityModes: [MessageSecurityMode.None, MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt],
    userManager: { isValidUser: (user, password) => user === "op" && password === "s3cret" },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const ns = space.registerNamespace("urn:test:plant");
  const folder = ns.addObject({ organizedBy: space.rootFolder.objects, browseName: "Plant" });
  let level = 255;
  ns.addVariable({
    componentOf: folder, nodeId: "s=Level", browseName: "Level", dataType: "Byte", minimumSamplingInterval: 50,
    value: { get: () => new Variant({ dataType: DataType.Byte, value: level }), set: (v) => { level = v.value; server.engine.setServiceLevel ? server.engine.setServiceLevel(level) : 0; return StatusCodes.Good; } },
  });
  space.rootFolder.objects.server.serviceLevel.bindVariable({ get: () => new Variant({ dataType: DataType.Byte, value: level }) }, true);
  await server.start();
  console.log("ready");
})();
