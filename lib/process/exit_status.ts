/** The exit statuses of sysexits(3) that the programs use. */
export const Exit = {
  Ok: 0,
  Usage: 64,
  NoService: 69,
  Software: 70,
  OsError: 71,
  TempFail: 75,
  Config: 78,
} as const
