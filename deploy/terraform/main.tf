data "aws_region" "current" {}

locals {
  # Written from the detectors by cargo test -p triage-deploy.
  monitoring = jsondecode(file("${path.module}/monitoring.json"))

  alarms = local.monitoring.alarms
  # What counts for the composite alarms.
  sick = [for metric, alarm in local.alarms : metric if alarm.meaning != "warning"]
  thresholds = {
    problems_per_minute = var.problems_per_minute
    recursion_depth     = var.recursion_depth
  }
  # Whom an alarm tells by itself; what is only sick is told of by the composite alarm.
  topics = {
    sick    = []
    urgent  = var.alarm_topic_arn == "none" ? [] : [var.alarm_topic_arn]
    warning = var.warning_topic_arn == "none" ? [] : [var.warning_topic_arn]
  }

  function_alarms = merge([
    for function_name in var.function_names : {
      for metric, alarm in local.alarms : "${function_name}.${metric}" => merge(alarm, { function_name = function_name, metric = metric })
    }
  ]...)
  function_queries = merge([
    for function_name in var.function_names : {
      for name, text in local.monitoring.queries : "${function_name}/${name}" => { function_name = function_name, text = text }
    }
  ]...)
  # Where the failure watcher of the account and region writes, if there is one.
  watcher_log_groups = concat(
    [for group in aws_cloudwatch_log_group.failure_watcher : group.name],
    var.failure_watcher_log_group == null ? [] : [var.failure_watcher_log_group],
  )
  log_groups = { for name in var.function_names : name => lookup(var.log_groups, name, "/aws/lambda/${name}") }
}

# Without it, a topic of another region would fail only when the first alarm goes off.
resource "terraform_data" "topic_region" {
  lifecycle {
    precondition {
      condition = alltrue([
        for arn in [var.alarm_topic_arn, var.warning_topic_arn] : arn == "none" || try(split(":", arn)[3], "") == data.aws_region.current.name
      ])
      error_message = "The topics must be in ${data.aws_region.current.name}, the provider's region: an alarm tells no topic of another."
    }
    precondition {
      condition     = length(setsubtract(keys(var.log_groups), var.function_names)) == 0
      error_message = "log_groups names functions that function_names does not."
    }
  }
}

resource "aws_lambda_layer_version" "this" {
  count = var.layer_zip == null ? 0 : 1

  layer_name               = replace(trimsuffix(basename(var.layer_zip), ".zip"), "_", "-")
  description              = "Says why an invocation went wrong"
  filename                 = var.layer_zip
  source_code_hash         = try(filebase64sha256(var.layer_zip), null)
  compatible_architectures = [regex("(x86_64|arm64)[.]zip$", var.layer_zip)[0]]
  license_info             = "Apache-2.0"
}

resource "aws_cloudwatch_metric_alarm" "function" {
  for_each = local.function_alarms

  alarm_name          = "lambda-triage.${each.key}"
  alarm_description   = each.value.description
  namespace           = var.namespace
  metric_name         = each.value.metric
  dimensions          = { FunctionName = each.value.function_name }
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.evaluation_periods
  datapoints_to_alarm = each.value.datapoints_to_alarm
  threshold           = lookup(local.thresholds, each.value.threshold, each.value.threshold)
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.topics[each.value.meaning]
}

resource "aws_cloudwatch_composite_alarm" "function_is_sick" {
  for_each = var.function_names

  alarm_name        = "lambda-triage.${each.key}.IsSick"
  alarm_description = "This function is sick: which of its alarms fire says with what. The saved query \"What went wrong in the last day\" says why, and what to do."
  alarm_rule = join(" OR\n", [
    for metric in local.sick : "ALARM(\"${aws_cloudwatch_metric_alarm.function["${each.key}.${metric}"].alarm_name}\")"
  ])
  alarm_actions = local.topics.urgent
  ok_actions    = local.topics.urgent
}

# Of the metrics without dimensions, which are those of all functions together.
resource "aws_cloudwatch_metric_alarm" "fleet" {
  for_each = var.fleet_alarms ? local.alarms : {}

  alarm_name          = "lambda-triage.${each.key}"
  alarm_description   = "${each.key} of all functions. The dashboard's \"Which functions are sick\" shows whose."
  namespace           = var.namespace
  metric_name         = each.key
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.evaluation_periods
  datapoints_to_alarm = each.value.datapoints_to_alarm
  threshold           = lookup(local.thresholds, each.value.threshold, each.value.threshold)
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.topics[each.value.meaning]
}

resource "aws_cloudwatch_composite_alarm" "fleet_is_sick" {
  count = var.fleet_alarms ? 1 : 0

  alarm_name        = "lambda-triage.FleetIsSick"
  alarm_description = "Some function is sick: which of its alarms fire says with what. The saved query \"What went wrong in the last day\" says why, and what to do."
  alarm_rule = join(" OR\n", [
    for metric in local.sick : "ALARM(\"${aws_cloudwatch_metric_alarm.fleet[metric].alarm_name}\")"
  ])
  alarm_actions = local.topics.urgent
  ok_actions    = local.topics.urgent
}

resource "aws_cloudwatch_dashboard" "function" {
  for_each = var.function_names

  dashboard_name = "lambda-triage-${each.key}"
  dashboard_body = templatefile("${path.module}/dashboard.json.tftpl", {
    function_name  = each.key
    sources        = join(" | ", [for group in concat([local.log_groups[each.key]], local.watcher_log_groups) : "SOURCE '${group}'"])
    namespace      = var.namespace
    region         = data.aws_region.current.name
    sick_alarm_arn = aws_cloudwatch_composite_alarm.function_is_sick[each.key].arn
    alarm_arns     = { for metric in keys(local.alarms) : metric => aws_cloudwatch_metric_alarm.function["${each.key}.${metric}"].arn }
  })
}

resource "aws_cloudwatch_query_definition" "function" {
  for_each = local.function_queries

  name            = "Lambda Triage/${each.key}"
  log_group_names = concat([local.log_groups[each.value.function_name]], local.watcher_log_groups)
  query_string    = replace(each.value.text, "$${FunctionName}", each.value.function_name)
}

resource "aws_iam_role_policy" "put_metric_data" {
  for_each = var.put_metric_data_roles

  name = "lambda-triage-put-metric-data"
  role = each.key
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "cloudwatch:PutMetricData"
      Resource  = "*"
      Condition = { StringEquals = { "cloudwatch:namespace" = var.namespace } }
    }]
  })
}
