// OPC UA server on npm node-opcua with structures of its own. usage: node opcua_structures.js PORT PKI-FOLDER [flipped] [TYPES]
// "flipped": the same type node ids, with other fields. TYPES: so many more types that nobody needs.
const fs = require("fs");
const path = require("path");
const { OPCUAServer, OPCUACertificateManager, Variant, DataType, VariantArrayType, nodesets, resolveNodeId } = require("node-opcua");
const [port, pki, ...rest] = process.argv.slice(2);
const flipped = rest.includes("flipped");
const more = Number(rest.find((word) => /^\d+$/.test(word)) || 0);
const type = (id, name, base, fields, attributes = "") => `
  <UADataType NodeId="ns=1;i=${id}" BrowseName="1:${name}"><DisplayName>${name}</DisplayName>
    <References><Reference ReferenceType="HasSubtype" IsForward="false">${base}</Reference></References>
    <Definition Name="1:${name}" ${attributes}>${fields}</Definition></UADataType>`;
const encoding = (id) => `
  <UAObject NodeId="ns=1;i=${id + 5000}" BrowseName="Default Binary" SymbolicName="DefaultBinary"><DisplayName>Default Binary</DisplayName>
    <References><Reference ReferenceType="HasEncoding" IsForward="false">ns=1;i=${id}</Reference>
    <Reference ReferenceType="HasTypeDefinition">i=76</Reference></References></UAObject>`;
const field = (name, dataType, extra = "") => `<Field Name="${name}" DataType="${dataType}" ${extra}/>`;
const struct = (id, name, fields, attributes, base = "i=22") => type(id, name, base, fields, attributes) + encoding(id);
const motor = [field("Speed", "i=11"), field("Count", "i=6"), field("Mode", "ns=1;i=3001"), field("Gear", "ns=1;i=3002"),
  field("Heat", "i=10", 'ValueRank="1"'), field("Name", "i=12"), field("Limit", "i=290"), field("Any", "i=24")];
const nodeset = `<?xml version="1.0" encoding="utf-8"?>
<UANodeSet xmlns="http://opcfoundation.org/UA/2011/03/UANodeSet.xsd">
  <NamespaceUris><Uri>urn:test:parts</Uri></NamespaceUris>
  <Aliases><Alias Alias="HasSubtype">i=45</Alias><Alias Alias="HasEncoding">i=38</Alias><Alias Alias="HasTypeDefinition">i=40</Alias></Aliases>
  ${type(3001, "Mode", "i=29", '<Field Name="Off" Value="0"/><Field Name="On" Value="3"/>')}
  ${struct(3002, "Gear", field("Teeth", "i=5") + field("Worn", "i=1"))}
  ${struct(3003, "Motor", (flipped ? motor.slice().reverse() : motor).join(""))}
  ${struct(3004, "Pump", field("Flow", "i=10") + field("Extra", "i=6", 'IsOptional="true"') + field("Last", "i=3", 'IsOptional="true"'))}
  ${struct(3005, "Either", field("Number", "i=6") + field("Text", "i=12"), 'IsUnion="true"', "i=12756")}
  ${struct(3006, "BigMotor", field("Power", "i=11"), "", "ns=1;i=3003")}
  ${[...Array(more).keys()].map((n) => struct(100000 + n, `T${n}`, field("X", "i=11"))).join("")}
</UANodeSet>`;
(async () => {
  fs.mkdirSync(pki, { recursive: true });
  const file = path.join(pki, "structures.xml");
  fs.writeFileSync(file, nodeset);
  const certificates = new OPCUACertificateManager({ rootFolder: pki, automaticallyAcceptUnknownCertificate: true });
  await certificates.initialize();
  const server = new OPCUAServer({
    port: Number(port), host: "127.0.0.1", hostname: "127.0.0.1", resourcePath: "/plant", allowAnonymous: true,
    serverCertificateManager: certificates, userCertificateManager: certificates, disableDiscovery: true,
    nodeset_filename: [nodesets.standard, file],
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const types = space.getNamespaceIndex("urn:test:parts");
  const ns = space.registerNamespace("urn:test:plant");
  const plant = ns.addObject({ organizedBy: space.rootFolder.objects, browseName: "Plant" });
  const make = (id, values) => space.constructExtensionObject(space.findDataType(resolveNodeId(`ns=${types};i=${id}`)), values);
  const values = { speed: 1.5, count: 7, mode: 3, gear: { teeth: 40, worn: true }, heat: [1, 2, 4], name: "M1", limit: 250, any: new Variant({ dataType: DataType.Int32, value: 9 }) };
  const add = (name, dataType, value, arrayType) => ns.addVariable({
    componentOf: plant, nodeId: `s=Plant.${name}`, browseName: name, dataType, valueRank: arrayType ? 1 : -1,
    value: new Variant({ dataType: DataType.ExtensionObject, value, arrayType }),
  });
  add("Motor", `ns=${types};i=3003`, make(3003, values));
  add("Motors", `ns=${types};i=3003`, [make(3003, values), make(3003, { ...values, count: 8 })], VariantArrayType.Array);
  add("Pump", `ns=${types};i=3004`, make(3004, { flow: 2.5, last: 200 }));
  add("Either", `ns=${types};i=3005`, make(3005, { text: "yes" }));
  add("Big", `ns=${types};i=3006`, make(3006, { ...values, power: 99 }));
  add("Some", "Structure", make(3002, { teeth: 12, worn: false }));
  add("Boxed", `ns=${types};i=3003`, make(3003, { ...values, any: new Variant({ dataType: DataType.ExtensionObject, value: make(3002, { teeth: 5 }) }) }));
  await server.start();
  console.log("ready");
})();
