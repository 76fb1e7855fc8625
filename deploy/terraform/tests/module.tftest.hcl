# terraform test: offline, without an account.

mock_provider "aws" {
  mock_data "aws_region" {
    defaults = {
      name = "eu-west-1"
    }
  }
}

variables {
  function_names  = ["orders", "billing"]
  alarm_topic_arn = "arn:aws:sns:eu-west-1:123456789012:oncall"
}

run "a_function_has_every_alarm_and_no_permission" {
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.function) == 2 * length(local.alarms)
    error_message = "Each function must have an alarm for each metric."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.function : alarm.treat_missing_data == "notBreaching" && alarm.period == 60])
    error_message = "Metrics exist on errors alone."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.function["orders.Timeouts"].dimensions == tomap({ FunctionName = "orders" })
    error_message = "An alarm must watch its own function."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.function["orders.Timeouts"].threshold == 1 && aws_cloudwatch_metric_alarm.function["orders.Problems"].threshold == 10
    error_message = "The thresholds must be the defaults."
  }
  assert {
    condition = alltrue([
      for alarm in [aws_cloudwatch_metric_alarm.function["orders.RecursionDepth"]] :
      alarm.statistic == "Maximum" && alarm.evaluation_periods == 1 && alarm.datapoints_to_alarm == 1 && alarm.threshold == 4
    ])
    error_message = "A loop must be told within a minute."
  }
  assert {
    condition     = length(aws_iam_role_policy.put_metric_data) == 0 && length(aws_lambda_layer_version.this) == 0
    error_message = "Nothing that was not asked for may be made."
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.fleet) == 0 && length(aws_cloudwatch_composite_alarm.fleet_is_sick) == 0
    error_message = "The fleet's alarms are made in one place alone."
  }
}

run "the_composite_alarm_and_recursion_tell_the_topic" {
  assert {
    condition     = aws_cloudwatch_composite_alarm.function_is_sick["orders"].alarm_actions == toset([var.alarm_topic_arn])
    error_message = "The composite alarm must tell the topic."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.function["orders.RecursionDepth"].alarm_actions == toset([var.alarm_topic_arn])
    error_message = "Recursion must tell the topic by itself."
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.function["orders.Timeouts"].alarm_actions) == 0
    error_message = "One mail, not two."
  }
  assert {
    condition     = strcontains(aws_cloudwatch_composite_alarm.function_is_sick["orders"].alarm_rule, "ALARM(\"lambda-triage.orders.KmsErrors\") OR")
    error_message = "The rule must name the function's alarms."
  }
  assert {
    condition     = !strcontains(aws_cloudwatch_composite_alarm.function_is_sick["orders"].alarm_rule, "NearTimeouts")
    error_message = "A warning is no sickness."
  }
  assert {
    condition     = length(output.alarm_names) == 2 * (length(local.alarms) + 1)
    error_message = "alarm_names must list them all."
  }
}

run "the_dashboard_is_the_functions_own" {
  assert {
    condition     = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.function["orders"].dashboard_body).widgets : lookup(widget.properties, "region", "eu-west-1") == "eu-west-1"])
    error_message = "Each widget must have the provider's region."
  }
  assert {
    condition     = strcontains(aws_cloudwatch_dashboard.function["orders"].dashboard_body, "SOURCE '/aws/lambda/orders'") && !strcontains(aws_cloudwatch_dashboard.function["orders"].dashboard_body, "billing")
    error_message = "It must read the function's log group."
  }
  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.function["orders"].dashboard_body).widgets[1].properties.alarms) == length(local.alarms) + 1
    error_message = "It must show each alarm."
  }
}

run "queries_read_the_log_group_of_their_function" {
  variables {
    log_groups = { billing = "/shared/billing" }
  }
  assert {
    condition     = aws_cloudwatch_query_definition.function["billing/KMS errors by key"].log_group_names == tolist(["/shared/billing"])
    error_message = "log_groups must be used."
  }
  assert {
    condition     = aws_cloudwatch_query_definition.function["orders/KMS errors by key"].log_group_names == tolist(["/aws/lambda/orders"])
    error_message = "/aws/lambda/NAME is the default."
  }
}

run "queries_ask_for_their_functions_lines" {
  assert {
    condition     = alltrue([for key, query in aws_cloudwatch_query_definition.function : strcontains(query.query_string, "FunctionName = \"${split("/", key)[0]}\" and ")])
    error_message = "A log group may hold other functions' lines."
  }
  assert {
    condition     = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.function["orders"].dashboard_body).widgets : strcontains(widget.properties.query, "FunctionName = \"orders\" and ") if widget.type == "log"])
    error_message = "So may the dashboard's tables."
  }
}

run "the_failure_watchers_lines_are_read_too" {
  variables {
    failure_watcher_log_group = "/aws/lambda/watcher"
  }
  assert {
    condition     = aws_cloudwatch_query_definition.function["orders/KMS errors by key"].log_group_names == tolist(["/aws/lambda/orders", "/aws/lambda/watcher"])
    error_message = "The queries must read them."
  }
  assert {
    condition     = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.function["orders"].dashboard_body).widgets : startswith(widget.properties.query, "SOURCE '/aws/lambda/orders' | SOURCE '/aws/lambda/watcher' | ") if widget.type == "log"])
    error_message = "The dashboard's tables must read them."
  }
}

run "a_log_group_that_is_none_is_refused" {
  command = plan
  variables {
    failure_watcher_log_group = "a b"
  }
  expect_failures = [var.failure_watcher_log_group]
}

run "the_fleet_has_alarms_where_asked_for" {
  variables {
    function_names      = []
    fleet_alarms        = true
    problems_per_minute = 7
    recursion_depth     = 12
    warning_topic_arn   = "arn:aws:sns:eu-west-1:123456789012:chat"
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.fleet) == length(local.alarms) && length(aws_cloudwatch_metric_alarm.function) == 0
    error_message = "The fleet's alarms must stand alone."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.fleet : alarm.dimensions == null])
    error_message = "The metric without dimensions is that of all functions."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.fleet["KmsErrors"].threshold == 7 && aws_cloudwatch_metric_alarm.fleet["RecursionDepth"].threshold == 12
    error_message = "The thresholds must be those that were set."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.fleet["NearTimeouts"].alarm_actions == toset([var.warning_topic_arn])
    error_message = "Warnings must tell their own topic."
  }
}

run "a_role_may_put_metrics_of_the_namespace_and_nothing_else" {
  variables {
    put_metric_data_roles = ["orders-role"]
    namespace             = "Shop/triage"
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.put_metric_data["orders-role"].policy).Statement == [{
      Effect    = "Allow"
      Action    = "cloudwatch:PutMetricData"
      Resource  = "*"
      Condition = { StringEquals = { "cloudwatch:namespace" = "Shop/triage" } }
    }]
    error_message = "One action, on one namespace."
  }
}

run "the_layer_is_for_the_architecture_in_its_name" {
  variables {
    layer_zip = "elsewhere/lambda-triage-arm64.zip"
  }
  assert {
    condition     = aws_lambda_layer_version.this[0].layer_name == "lambda-triage-arm64" && aws_lambda_layer_version.this[0].compatible_architectures == toset(["arm64"])
    error_message = "The architecture must be the file's."
  }
}

run "the_lean_layer_has_a_name_of_its_own" {
  variables {
    layer_zip = "lambda-triage-lean-x86_64.zip"
  }
  assert {
    condition     = aws_lambda_layer_version.this[0].layer_name == "lambda-triage-lean-x86-64" && aws_lambda_layer_version.this[0].compatible_architectures == toset(["x86_64"])
    error_message = "The layer and the architecture must be the file's."
  }
}

run "nobody_is_told_where_that_is_meant" {
  variables {
    alarm_topic_arn = "none"
  }
  assert {
    condition     = length(aws_cloudwatch_composite_alarm.function_is_sick["orders"].alarm_actions) == 0
    error_message = "none means nobody."
  }
}

run "an_empty_topic_is_refused" {
  command = plan
  variables {
    alarm_topic_arn = ""
  }
  expect_failures = [var.alarm_topic_arn]
}

run "a_topic_of_another_region_is_refused" {
  command = plan
  variables {
    alarm_topic_arn = "arn:aws:sns:us-east-1:123456789012:oncall"
  }
  expect_failures = [terraform_data.topic_region]
}

run "a_log_group_of_an_unknown_function_is_refused" {
  command = plan
  variables {
    log_groups = { oders = "/aws/lambda/oders" }
  }
  expect_failures = [terraform_data.topic_region]
}

run "an_arn_for_a_name_is_refused" {
  command = plan
  variables {
    function_names = ["arn:aws:lambda:eu-west-1:123456789012:function:orders"]
  }
  expect_failures = [var.function_names]
}

run "a_namespace_with_a_forbidden_character_is_refused" {
  command = plan
  variables {
    namespace = "triage*"
  }
  expect_failures = [var.namespace]
}

run "awss_own_namespace_is_refused" {
  command = plan
  variables {
    namespace = "AWS/Lambda"
  }
  expect_failures = [var.namespace]
}

run "numbers_that_mean_nothing_are_refused" {
  command = plan
  variables {
    problems_per_minute = 0
    recursion_depth     = 1.5
    layer_zip           = "layer.zip"
  }
  expect_failures = [var.problems_per_minute, var.recursion_depth, var.layer_zip]
}
