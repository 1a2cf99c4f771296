// Reads and writes Sparkplug payloads with npm sparkplug-payload, so that ours are judged by code that we did not write.
// One JSON request a line: {decode: HEX, types: {ALIAS: DATATYPE}} or {encode: PAYLOAD}; one JSON answer a line.
// `raw` has only the fields that are on the wire; `metrics` is what the package makes of them once a host has
// filled in the types that it knows from the birth.
const { get } = require("sparkplug-payload");
const proto = require("sparkplug-payload/lib/sparkplugPayloadProto.js").org.eclipse.tahu.protobuf.Payload;
const codec = get("spBv1.0");
const plain = (value) => JSON.parse(JSON.stringify(value, (_, each) =>
  each && each.low !== undefined && each.high !== undefined ? Number(each.toString()) : each));
function decode(request) {
  const bytes = Buffer.from(request.decode, "hex");
  const message = proto.decode(bytes);
  const raw = plain(proto.toObject(message, { longs: Number, enums: Number, bytes: String }));
  for (const metric of message.metrics) {
    if (!metric.datatype) metric.datatype = (request.types || {})[metric.alias];
  }
  const { metrics } = codec.decodePayload(proto.encode(message).finish());
  for (const metric of metrics || []) {  // it means to do this itself, and looks for the class of another `long`
    if (metric.type === "Int64" && metric.value && metric.value.toSigned) metric.value = metric.value.toSigned();
  }
  return { raw, metrics: plain(metrics || []) };
}
const answer = (request) => (request.decode !== undefined ? decode(request)
  : { hex: Buffer.from(codec.encodePayload(request.encode)).toString("hex") });
console.log("ready");
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  try { console.log(JSON.stringify(answer(JSON.parse(line)))); } catch (error) { console.log(JSON.stringify({ error: String(error) })); }
});
