/**
 * Orders of all messages of a view, which follow from the view alone: worked out once however often, and by however many sessions of the process,
 * they are asked for. They live as long as somebody has that view; a change of flags leaves it as it is.
 */

/** Answers kept for a view; each is as large as what is sent. */
const MOST = 8

const known = new WeakMap<Uint32Array, Map<string, Promise<unknown>>>()

/**
 * @param view UIDs by sequence number less one
 * @param count messages that the question is about; unless it is all of them nothing is kept
 * @param question names the answer, apart from all others
 * @param make must need nothing but the messages, which never change
 * @throws what `make` throws
 */
export async function ofWholeView<T>(
  view: Uint32Array,
  count: number,
  question: string,
  make: () => Promise<T>,
): Promise<T> {
  if (count !== view.length) return make()
  let answers = known.get(view)
  if (answers === undefined) {
    answers = new Map()
    known.set(view, answers)
  }
  const others = answers.get(question) as Promise<T> | undefined
  if (others !== undefined) {
    const answer = await others.then(
      (value) => ({ value }),
      () => undefined,
    )
    // the session that was making it has ended
    if (answer === undefined) return make()
    return answer.value
  }
  const own = make()
  answers.set(question, own)
  own.catch(() => answers.delete(question))
  for (const old of answers.keys()) if (answers.size > MOST) answers.delete(old)
  return own
}
