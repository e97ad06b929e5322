/**
 * sync_client -u against a real Cyrus 3.6.1, over IMAP and in both directions, one kind of change at a time: it succeeds, and a second run finds nothing
 * left to be done – so each side's checksums, rights and counters are what the other side computes. In the end users are renamed and deleted, the
 * replication log of it all is done once, and both sides are compared over IMAP.
 */
import t from 'tap'
import { playChanges } from './sync_changes.js'

for (const topology of ['ours_to_cyrus.ini', 'cyrus_to_ours.ini'])
  t.test(topology, { timeout: 110_000 }, (t) => playChanges(t, topology, 'imap'))
