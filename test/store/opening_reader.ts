/** Opens and closes the database again and again, until its standard input ends; prints how often. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { openDatabase } from '../../lib/store/database.js'

let stop = false
process.stdin.resume().once('end', () => {
  stop = true
})
let times = 0
while (!stop) {
  const database = await openDatabase(process.argv[2]!, 2 ** 30)
  await database.close()
  times++
  await nextTurn()
}
console.log(times)
