/** COMPRESS DEFLATE (RFC 4978). */
import { ANSWERED, ANY, define } from '../command.js'
import { No } from '../errors.js'

export const compress = define<string>({
  name: 'COMPRESS',
  states: ANY,
  parse(args) {
    args.space()
    const algorithm = args.atom()
    args.end()
    return algorithm.toUpperCase()
  },
  async run({ session, tag }, algorithm) {
    if (session.compressed) throw new No('[COMPRESSIONACTIVE] DEFLATE active')
    if (algorithm !== 'DEFLATE') throw new No('Unknown COMPRESS mechanism')
    session.reply.tagged(tag, 'OK', 'DEFLATE active')
    await session.connection.flush()
    session.connection.startDeflate()
    session.compressed = true
    return ANSWERED
  },
})
