# A function whose calls go wrong in ways chosen by the event, with the AWS SDK for Ruby; see
# ../python/app.py.
#
# Debian has no aws_lambda_ric: the loop below stands in for it, and writes what it writes of an
# error that the handler raises, a line and the error's JSON, each as one record, which is what
# becomes of what Logger writes as well.

require 'aws-sdk-kms'
require 'json'
require 'logger'
require 'net/http'

# Each write is a record: a type, a length, the time in microseconds, and the text.
class Records
  def initialize(descriptor)
    @file = IO.new(descriptor, 'wb')
    @file.sync = true
  end

  def write(text)
    @file.write([0xa55a0003, text.bytesize, (Time.now.to_r * 1_000_000).to_i].pack('NNQ>'), text)
  end

  def close; end
end

RECORDS = Records.new(ENV['_LAMBDA_TELEMETRY_LOG_FD'].to_i)

CALLS = {
  'kms-encrypt' => ->(keys, id) { keys.encrypt(key_id: id, plaintext: 'order') },
  'kms-data-key' => ->(keys, id) { keys.generate_data_key(key_id: id, key_spec: 'AES_256') }
}.freeze

def handler(event)
  keys = Aws::KMS::Client.new(endpoint: ENV['AWS_ENDPOINT_URL'], retry_limit: 1)
  CALLS.fetch(event['call']).call(keys, event['target'])
  { done: event['call'] }
rescue Aws::Errors::ServiceError => e
  raise if event['how'] == 'uncaught'

  case event['how']
  when 'logger' then Logger.new(RECORDS).error(e)
  else warn e.full_message(highlight: false)
  end
  { caught: e.class.name }
end

base = "http://#{ENV['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation/"
loop do
  taken = Net::HTTP.get_response(URI("#{base}next"))
  id = taken['Lambda-Runtime-Aws-Request-Id']
  begin
    answer = ['response', handler(JSON.parse(taken.body))]
  rescue StandardError => e
    error = { errorMessage: e.message, errorType: "Function<#{e.class}>", stackTrace: e.backtrace }
    RECORDS.write('Error raised from handler method')
    RECORDS.write(JSON.pretty_generate(error))
    answer = ['error', error]
  end
  Net::HTTP.post(URI("#{base}#{id}/#{answer[0]}"), JSON.generate(answer[1]), 'Content-Type' => 'application/json')
end
