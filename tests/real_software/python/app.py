"""A function whose calls go wrong in ways chosen by the event, with boto3.

`{"call": "kms", "target": "…", "how": "uncaught"}`: which call on which resource, and what is
done with the error. What is printed is the SDK's, the runtime client's and the loggers' own.
"""

import logging
import os
import traceback

import boto3
import structlog
from aws_lambda_powertools import Logger

import trouble

log = logging.getLogger()
log.setLevel(logging.INFO)
# It tells at INFO that the endpoint is another.
logging.getLogger("botocore.configprovider").setLevel(logging.WARNING)
powertools = Logger(service="orders")
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]
)


def client(service):
    return boto3.client(service)


CALLS = {
    "kms": lambda target: client("kms").decrypt(KeyId=target, CiphertextBlob=b"AQICAHh0aXMgaXMgbm90"),
    "kms-encrypt": lambda target: client("kms").encrypt(KeyId=target, Plaintext=b"order"),
    "kms-data-key": lambda target: client("kms").generate_data_key(KeyId=target, KeySpec="AES_256"),
    "kms-ciphertext": lambda target: client("kms").decrypt(CiphertextBlob=target.encode()),
    "s3": lambda target: client("s3").get_object(Bucket="orders", Key=target),
    "sqs": lambda target: client("sqs").send_message(
        QueueUrl=f"{os.environ['AWS_ENDPOINT_URL']}/123456789012/{target}", MessageBody="order"
    ),
    "dynamodb": lambda target: client("dynamodb").put_item(
        TableName=target, Item={"id": {"S": "1"}}, ConditionExpression="attribute_not_exists(id)"
    ),
    "secretsmanager": lambda target: client("secretsmanager").get_secret_value(SecretId=target),
    "ssm": lambda target: client("ssm").get_parameter(Name=target, WithDecryption=True),
    "lambda": lambda target: client("lambda").invoke(FunctionName=target, Payload=b"{}"),
}


def logged(how, error):
    """Notes a caught error, as people do."""
    if how == "logging-exception":
        log.exception("could not load the order")
    elif how == "logging-error":
        log.error("could not load the order: %s", error)
    elif how == "logging-warning":
        log.warning("going on without the order: %s", error)
    elif how == "logging-info":
        log.info("not there, so made anew: %s", error)
    elif how == "print":
        print(f"{type(error).__module__}.{type(error).__name__}: {error}")
    elif how == "traceback":
        traceback.print_exc()
    elif how == "structlog":
        structlog.get_logger().error("order_failed", order="1", exc_info=True)
    elif how == "powertools":
        powertools.exception("could not load the order")
    else:
        raise ValueError(f"no such way to log: {how}")


def handler(event, _context):
    how = event.get("how", "uncaught")
    if event.get("debug"):
        boto3.set_stream_logger("botocore", logging.DEBUG)
    call = CALLS.get(event["call"]) or getattr(trouble, event["call"].replace("-", "_"))
    try:
        answer = call(event.get("target"))
    except Exception as error:
        if how == "uncaught":
            raise
        logged(how, error)
        return {"caught": type(error).__name__}
    return answer if isinstance(answer, str) else {"done": event["call"]}
