"""A function that invokes another with boto3, as `examples/caller` does with the SDK for Rust."""

import json
import logging

import boto3

log = logging.getLogger()
client = boto3.client("lambda")


def handler(event, _context):
    kind = "Event" if event.get("asynchronous") else "RequestResponse"
    try:
        answer = client.invoke(FunctionName=event["function"], InvocationType=kind, Payload=json.dumps({}))
    except client.exceptions.ClientError:
        if not event.get("caught"):
            raise
        log.exception("could not invoke FunctionName=%s", event["function"])
        return {"caught": event["function"]}
    return {"status": answer["StatusCode"], "functionError": answer.get("FunctionError")}
