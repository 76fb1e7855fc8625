"""The metric alarms that another reader of the template makes of it: ministack's CloudFormation, on loopback.

Needs ministack, cbor2 and boto3 (PyPI) besides cfn-lint. ministack knows neither composite alarms nor query
definitions; those and what refers to them are left out here. What it made is compared with what the Terraform
module reads, so that the two ways to deploy cannot come apart.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest

try:
    import boto3
    import ministack  # noqa: F401
    from cfnlint.decode import cfn_yaml
except ImportError as missing:
    raise unittest.SkipTest(f"left out: {missing}") from missing

HERE = pathlib.Path(__file__).resolve().parent
TOPIC = "arn:aws:sns:eu-west-1:123456789012:oncall"
PATIENCE_S = 60


def wait_until(holds, process):
    limit = time.monotonic() + PATIENCE_S
    while not holds():
        if process.poll() is not None or time.monotonic() > limit:
            raise AssertionError("ministack did not come so far")
        time.sleep(0.05)


class Stack(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment = {**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "HOME": folder.name}
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"], cwd=folder.name, env=environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.terminate)

        def answers():
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                return False

        wait_until(answers, process)

        def client(service):
            return boto3.client(
                service, endpoint_url=f"http://127.0.0.1:{port}", region_name="eu-west-1",
                aws_access_key_id="123456789012", aws_secret_access_key="none",
            )

        template = cfn_yaml.load(str(HERE / "monitoring.yaml"))
        resources = template["Resources"].items()
        template["Resources"] = {k: v for k, v in resources if v["Type"] == "AWS::CloudWatch::Alarm"}
        del template["Outputs"]
        parameters = {
            "FunctionName": "orders", "LogGroup": "/aws/lambda/orders", "AlarmTopicArn": TOPIC, "FleetAlarms": "yes",
        }
        formation = client("cloudformation")
        formation.create_stack(
            StackName="orders", TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        )

        def status():
            return formation.describe_stacks(StackName="orders")["Stacks"][0]["StackStatus"]

        wait_until(lambda: not status().endswith("IN_PROGRESS"), process)
        assert status() == "CREATE_COMPLETE", status()
        alarms = client("cloudwatch").describe_alarms(MaxRecords=100)["MetricAlarms"]
        cls.alarms = {alarm["AlarmName"]: alarm for alarm in alarms}

    def test_each_alarm_is_that_of_the_terraform_module(self):
        module = json.loads((HERE.parent / "terraform" / "monitoring.json").read_text())
        thresholds = {"problems_per_minute": 1, "recursion_depth": 4}
        self.assertEqual(len(self.alarms), 2 * len(module["alarms"]))
        for metric, wanted in module["alarms"].items():
            for name, dimensions in [
                (f"lambda-triage.orders.{metric}", [{"Name": "FunctionName", "Value": "orders"}]),
                (f"lambda-triage.{metric}", []),
            ]:
                alarm = self.alarms[name]
                threshold = wanted["threshold"]
                expected = {
                    "Namespace": "LambdaTriage", "MetricName": metric, "Dimensions": dimensions,
                    "Statistic": wanted["statistic"], "Period": wanted["period"],
                    "EvaluationPeriods": wanted["evaluation_periods"],
                    "DatapointsToAlarm": wanted["datapoints_to_alarm"],
                    "Threshold": float(thresholds.get(threshold, threshold)),
                    "ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": "notBreaching",
                    "AlarmActions": [TOPIC] if wanted["meaning"] == "urgent" else [],
                }
                self.assertEqual({field: alarm[field] for field in expected}, expected, name)
            described = self.alarms[f"lambda-triage.orders.{metric}"]["AlarmDescription"]
            self.assertEqual(described, wanted["description"])
            self.assertLessEqual(len(described), 1024)


if __name__ == "__main__":
    unittest.main()
