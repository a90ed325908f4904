export const tv = {
  'tv.title': 'حضور پر پرده',
  'tv.hours': 'حاضر کسان، تېر {n} ساعته',
}
