output "layer_arn" {
  description = "The layer's version to attach to functions; null unless layer_zip is given."
  value       = one(aws_lambda_layer_version.this[*].arn)
}

output "sick_alarm_names" {
  description = "The composite alarm of each function, by the function's name."
  value       = { for name, alarm in aws_cloudwatch_composite_alarm.function_is_sick : name => alarm.alarm_name }
}

output "alarm_names" {
  description = "The names of all alarms."
  value = sort(concat(
    [for alarm in aws_cloudwatch_metric_alarm.function : alarm.alarm_name],
    [for alarm in aws_cloudwatch_composite_alarm.function_is_sick : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.fleet : alarm.alarm_name],
    [for alarm in aws_cloudwatch_composite_alarm.fleet_is_sick : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.about_to_fail : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.unread_failures : alarm.alarm_name],
  ))
}

output "dashboard_names" {
  description = "The dashboard of each function, by the function's name."
  value       = { for name, dashboard in aws_cloudwatch_dashboard.function : name => dashboard.dashboard_name }
}
