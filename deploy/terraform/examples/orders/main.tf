# A function with the layer, its log group, and all that reads what the extension says.
#
#   deploy/layer/build
#   cd deploy/terraform/examples/orders
#   zip --junk-paths orders.zip ../../../../examples/problem-maker-python/app.py
#   terraform init && terraform apply -var code_zip=orders.zip -var alarm_topic_arn=TOPIC_ARN

terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "alarm_topic_arn" {
  description = "The SNS topic that the alarms tell, or none."
  type        = string
}

variable "code_zip" {
  description = "The function's code: a zip file with app.py in it."
  type        = string
}

module "triage" {
  source = "../.."

  layer_zip       = "${path.module}/../../../../target/layer/lambda-triage-x86_64.zip"
  function_names  = ["orders"]
  alarm_topic_arn = var.alarm_topic_arn
  fleet_alarms    = true
}

resource "aws_lambda_function" "orders" {
  function_name    = "orders"
  filename         = var.code_zip
  source_code_hash = try(filebase64sha256(var.code_zip), null)
  handler          = "app.handler"
  runtime          = "python3.13"
  architectures    = ["x86_64"]
  timeout          = 3
  role             = aws_iam_role.orders.arn
  layers           = [module.triage.layer_arn]

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.orders.name
  }
}

resource "aws_cloudwatch_log_group" "orders" {
  name              = "/aws/lambda/orders"
  retention_in_days = 30
}

# What every function needs to write its log: nothing more for the extension.
resource "aws_iam_role" "orders" {
  name = "orders"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "orders" {
  role       = aws_iam_role.orders.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

output "sick_alarm_names" {
  value = module.triage.sick_alarm_names
}
