// A handler module that does not parse.
exports.handler = async () => {
  return 'ok'
