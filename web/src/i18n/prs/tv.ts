export const tv = {
  'tv.title': 'حضور روی پرده',
  'tv.hours': 'اشخاص حاضر، {n} ساعت گذشته',
}
