"""Checks that SAM can upload what the templates name, and that its transform takes what is left then.

    python deploy/sam/check_package.py deploy/sam/*.yaml

`sam validate` puts addresses of its own in place of local files before it looks, so that it passes templates that
`sam deploy` cannot deploy. Needs Python with aws-sam-cli; nothing is uploaded.
"""

import os
import pathlib
import sys
from unittest.mock import Mock

# Before it is loaded: nothing is to leave this machine.
os.environ["SAM_CLI_TELEMETRY"] = "0"
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")

from samcli.lib.package.packageable_resources import ServerlessFunctionResource, ServerlessLayerVersionResource
from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

UPLOADED = "s3://bucket/uploaded"
EXPORTERS = {
    "AWS::Serverless::Function": (ServerlessFunctionResource, "CodeUri"),
    "AWS::Serverless::LayerVersion": (ServerlessLayerVersionResource, "ContentUri"),
}


def faults(path):
    """What would keep a template from being deployed."""
    template = yaml_parse(path.read_text())
    uploader = Mock()
    uploader.get.return_value = Mock(upload_with_dedup=lambda *_, **__: UPLOADED)
    signer = Mock(should_sign_package=lambda _: False)
    for name, resource in template["Resources"].items():
        if resource["Type"] not in EXPORTERS:
            continue
        exporter, code = EXPORTERS[resource["Type"]]
        properties = resource["Properties"]
        local = properties.get(code)
        if isinstance(local, str) and not (path.parent / local).exists():
            # What the project's builds make need not be there.
            properties[code] = str(path.resolve())
        exporter(uploader, signer).export(name, properties, str(path.parent))
        if local is not None and properties[code] != UPLOADED:
            yield f"{name}: {code} is not uploaded: {properties[code]}"
    try:
        transform(template, {}, Mock(load=dict))
    except Exception as error:  # Whatever it has against it.
        yield from (getattr(cause, "message", str(cause)) for cause in getattr(error, "causes", [error]))
    for name, resource in template["Resources"].items():
        # `sam deploy --guided` allows roles, but none with names of their own.
        if resource["Type"].startswith("AWS::IAM::Role") and resource["Type"].endswith("Role"):
            if "RoleName" in resource["Properties"]:
                yield f"{name}: its RoleName needs CAPABILITY_NAMED_IAM"


def main():
    found = [f"{path}: {fault}" for path in map(pathlib.Path, sys.argv[1:]) for fault in faults(path)]
    sys.exit("\n".join(found) or None)


if __name__ == "__main__":
    main()
