/**
 * Loaded into master with `node --import`: its clock begins at FAST_CLOCK_START (local time) if that is set, and runs FAST_CLOCK times as fast, so that a
 * test sees minutes and days of EVENTS in seconds. Time-outs of a second and more go as fast as the clock.
 */
const factor = Number(process.env.FAST_CLOCK ?? 1)
const { FAST_CLOCK_START: wanted } = process.env
const realNow = Date.now
const realTimeout = globalThis.setTimeout
const began = realNow()
const start = wanted === undefined ? began : new Date(wanted).getTime()

Date.now = () => start + (realNow() - began) * factor
const faster = (run: () => void, milliseconds = 0): NodeJS.Timeout =>
  realTimeout(run, milliseconds < 1000 ? milliseconds : milliseconds / factor)
globalThis.setTimeout = Object.assign(faster, realTimeout)

export {}
