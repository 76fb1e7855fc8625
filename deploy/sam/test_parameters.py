"""What the templates' parameters take and refuse, as CloudFormation would before it makes anything.

    python3 -m unittest discover --start-directory deploy/sam

Needs cfn-lint (PyPI), whose reader knows CloudFormation's tags.
"""

import pathlib
import re
import unittest

from cfnlint.decode import cfn_yaml

HERE = pathlib.Path(__file__).resolve().parent
TOPIC = "arn:aws:sns:eu-west-1:123456789012:oncall"


def takes(declaration, value):
    if "AllowedValues" in declaration:
        return value in [str(allowed) for allowed in declaration["AllowedValues"]]
    if declaration["Type"] == "Number":
        number = float(value) if re.fullmatch(r"-?[0-9.]+", value) else None
        low, high = float(declaration["MinValue"]), float(declaration["MaxValue"])
        return number is not None and low <= number <= high
    return re.fullmatch(declaration["AllowedPattern"], value) is not None


class Parameters(unittest.TestCase):
    CASES = {
        "FunctionName": (["orders", "a-b_C9"], ["", "orders:live", "arn:aws:lambda:x", "a" * 65]),
        "LogGroup": (["/aws/lambda/orders", "a#b.c"], ["", "arn:aws:logs:x", "a b"]),
        "WatcherLogGroup": (["/aws/lambda/watcher", "none"], ["", "a b", "arn:aws:logs:x"]),
        "AlarmTopicArn": (
            [TOPIC, TOPIC.replace("aws:", "aws-us-gov:", 1), "none"],
            ["", "oncall", TOPIC.replace("sns", "sqs"), TOPIC + ".fifo", TOPIC + ":6d2f", "None"],
        ),
        "WarningTopicArn": ([TOPIC, "none"], ["", "chat"]),
        "Namespace": (
            ["LambdaTriage", "My team/triage", "a:b", "#1"],
            ["", ":a", " a", "AWS/Lambda", "a*", "a\n", "ü", "a" * 256],
        ),
        "ProblemsPerMinute": (["1", "50"], ["", "0", "-1", "many"]),
        "RecursionDepth": (["2", "16"], ["", "1", "deep"]),
        "FleetAlarms": (["yes", "no"], ["", "true"]),
        "Metrics": (["emf", "cloudwatch", "off"], ["", "EMF"]),
        "Architecture": (["x86_64", "arm64"], ["", "amd64"]),
        "FunctionNames": (["", "orders", "a-b_C9,d"], [",", "orders,", "a b", "arn:aws:lambda:x", "a" * 65]),
        "FunctionErrors": (["on", "off"], ["", "yes"]),
        "Tag": (["", "triage", "triage=yes", "team/x:y=", "a=b=c"], ["=yes", "a b=c", "a=*"]),
        "DeadLetters": (["", "orders-dlq=orders", "a=b,c_d=e-f"], ["orders", "a=", "a=b,", "a=b, c=d", "a.fifo=b"]),
        "CheckMinutes": (["1", "5"], ["", "0", "6", "often"]),
        "KeyChecks": (["yes", "no"], ["", "true"]),
        "ConcurrencyChecks": (["yes", "no"], ["", "true"]),
        "RecursionChecks": (["yes", "no"], ["", "true"]),
        "RetentionInDays": (["1", "30"], ["", "0", "31"]),
    }

    def test_each_takes_what_is_right_and_refuses_what_is_not(self):
        seen = set()
        for path in HERE.glob("*.yaml"):
            for name, declaration in cfn_yaml.load(str(path))["Parameters"].items():
                seen.add(name)
                right, wrong = self.CASES[name]
                for value in right:
                    self.assertTrue(takes(declaration, value), f"{path.name}: {name} refuses {value!r}")
                for value in wrong:
                    self.assertFalse(takes(declaration, value), f"{path.name}: {name} takes {value!r}")
                if declaration.get("AllowedPattern"):
                    # What CloudFormation says otherwise is the pattern.
                    self.assertIn(name, declaration["ConstraintDescription"])
        self.assertEqual(seen, set(self.CASES))


if __name__ == "__main__":
    unittest.main()
