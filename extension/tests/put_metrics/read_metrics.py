"""Prints what CloudWatch shows of a namespace today: read_metrics.py ENDPOINT REGION NAMESPACE."""

import datetime
import json
import sys

import boto3

endpoint, region, namespace = sys.argv[1:]
cloudwatch = boto3.client(
    "cloudwatch",
    endpoint_url=endpoint,
    region_name=region,
    # The account and the region of the sandbox's own credentials.
    aws_access_key_id="ASIAEXAMPLEEXAMPLE00",
    aws_secret_access_key="example",
)
now = datetime.datetime.now(datetime.timezone.utc)
day = datetime.timedelta(days=1)
shown = []
for page in cloudwatch.get_paginator("list_metrics").paginate(Namespace=namespace):
    for metric in page["Metrics"]:
        points = cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=metric["MetricName"],
            Dimensions=metric["Dimensions"],
            StartTime=now - day,
            EndTime=now + day,
            Period=60,
            Statistics=["Sum", "SampleCount", "Maximum"],
        )["Datapoints"]
        names = [dimension["Name"] for dimension in metric["Dimensions"]]
        assert names in ([], ["FunctionName"]), names
        shown.append(
            {
                "name": metric["MetricName"],
                "function": "".join(dimension["Value"] for dimension in metric["Dimensions"]),
                "sum": sum(point["Sum"] for point in points),
                "samples": sum(point["SampleCount"] for point in points),
                "max": max(point["Maximum"] for point in points),
                "unit": "/".join(sorted({point["Unit"] for point in points})),
            }
        )
# ministack answers a query without dimensions by what was sent with any; CloudWatch only by what was
# sent without.
for alone in shown:
    for named in shown:
        if not alone["function"] and named["function"] and named["name"] == alone["name"]:
            alone["sum"] -= named["sum"]
            alone["samples"] -= named["samples"]
json.dump(shown, sys.stdout)
