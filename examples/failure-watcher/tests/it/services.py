"""Makes functions, keys and a queue: services.py ENDPOINT REGION. Prints what came of it as JSON."""

import io
import json
import sys
import zipfile

import boto3

endpoint, region = sys.argv[1:]


def client(service):
    # The account and the region of the sandbox's own credentials.
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id="ASIAEXAMPLEEXAMPLE00",
        aws_secret_access_key="example",
    )


functions, kms, sqs = client("lambda"), client("kms"), client("sqs")
archive = io.BytesIO()
with zipfile.ZipFile(archive, "w") as package:
    package.writestr("app.py", "def handler(event, context):\n    return event\n")


def key():
    return kms.create_key()["KeyMetadata"]["Arn"]


def create(name, watch, key_arn=None):
    """A function with a tag that says whether it is watched."""
    more = {"KMSKeyArn": key_arn} if key_arn else {}
    functions.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role="arn:aws:iam::123456789012:role/orders-role",
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": {"PASSWORD": "s3cr3t"}},
        Tags={"watch": watch},
        **more,
    )


disabled, doomed = key(), key()
kms.disable_key(KeyId=disabled)
kms.schedule_key_deletion(KeyId=doomed, PendingWindowInDays=7)
create("orders", "yes", disabled)
functions.put_function_concurrency(FunctionName="orders", ReservedConcurrentExecutions=0)
functions.put_function_recursion_config(FunctionName="orders", RecursiveLoop="Allow")
create("billing", "yes", doomed)
create("lost", "yes", disabled.rsplit("/", 1)[0] + "/00000000-0000-0000-0000-000000000000")
create("healthy", "yes", key())
create("greedy", "yes")
pool = functions.get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
functions.put_function_concurrency(FunctionName="greedy", ReservedConcurrentExecutions=pool - 100)
create("left-alone", "no", disabled)
functions.put_function_concurrency(FunctionName="left-alone", ReservedConcurrentExecutions=0)

ARN = f"arn:aws:lambda:{region}:123456789012:function"
url = sqs.create_queue(QueueName="orders-dead-letters")["QueueUrl"]
queue_arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
mount = "The function could not mount the EFS file system with access point arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0."
sqs.send_message(
    QueueUrl=url,
    MessageBody=json.dumps({"order": 7}),
    MessageAttributes={
        "RequestID": {"DataType": "String", "StringValue": "e4b46cbf-b738-4d2c-8880-a18cdf61200e"},
        "ErrorCode": {"DataType": "Number", "StringValue": "403"},
        "ErrorMessage": {"DataType": "String", "StringValue": mount},
    },
)
record = {
    "version": "1.0",
    "timestamp": "2026-03-01T11:59:58.000Z",
    "requestContext": {
        "requestId": "79104eff-e5a6-4ecd-b1a5-7a1b6c6c3a01",
        "functionArn": f"{ARN}:billing:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    },
    "requestPayload": {"order": 7},
    "responseContext": {"statusCode": 502, "executedVersion": "$LATEST"},
    "responsePayload": {
        "errorType": "KMSDisabledException",
        "errorMessage": "Lambda was unable to decrypt the environment variables because the KMS key used is disabled. Please check the function's KMS key settings.",
    },
}
sqs.send_message(QueueUrl=url, MessageBody=json.dumps(record))
other = sqs.send_message(QueueUrl=url, MessageBody="an order, and no record")["MessageId"]


def received():
    """Messages as an event source mapping hands them over."""
    messages = []
    while len(messages) < 3:
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, AttributeNames=["All"], MessageAttributeNames=["All"]
        )
        messages += answer.get("Messages", [])
    return messages


def lowered(attribute):
    return {name[0].lower() + name[1:]: value for name, value in attribute.items()}


records = [
    {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        # ministack knows no roles: Lambda sends dead letters as the function's.
        "attributes": {**message["Attributes"], "SenderId": "AROAEXAMPLE:awslambda_215_20260301115959000"},
        "messageAttributes": {name: lowered(value) for name, value in message.get("MessageAttributes", {}).items()},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }
    for message in received()
]
function_arn = functions.get_function_configuration(FunctionName="orders")["FunctionArn"]
json.dump({"disabledKey": disabled, "functionArn": function_arn, "event": {"Records": records}, "otherMessageId": other}, sys.stdout)
