/** What charts say. */
export const chart = {
  'chart.table': 'Table',
  'chart.gap': 'no server was running',
  'chart.nothing': 'Nothing was recorded yet. The first minute appears here by itself.',
  'chart.time': 'Time',
  'chart.day': 'Day',
  'chart.hour': 'Hour',
  'chart.from': 'From',
  'chart.to': 'To',
  'chart.length': 'Length',
  'chart.status': 'Status',
  'chart.cause': 'Cause',
  'chart.device': 'Device',
  'chart.changes': 'Changes',
  'chart.noRecord': 'not recorded',
} as const
