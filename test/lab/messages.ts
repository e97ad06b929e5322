/** Varied messages, the same for the same number: plain, multipart, attachments, 8-bit, nested, long headers, odd but legal forms. */

/** Message number n, with CRLF line ends. */
export function sampleMessage(n: number): Buffer {
  const kinds = [plain, alternative, attachment, eightBit, nested, longHeaders, oddities, related]
  const date = new Date(Date.UTC(2026, 0, 1, 8, 0, n * 61))
  const head = [
    `From: "Sender ${n}" <sender${n % 7}@example.com>`,
    `To: Recipient <recipient@example.org>, "Other, One" <other${n % 3}@example.net>`,
    ...(n % 4 === 0 ? [`Cc: friends: a@example.com, b@example.com;, "Quoted \\" name" <q@example.com>`] : []),
    `Subject: ${n % 5 === 0 ? '=?UTF-8?Q?Gr=C3=BC=C3=9Fe_?= ' : ''}message ${n}`,
    `Date: ${date.toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <lab-${n}@example.com>`,
    ...(n % 3 === 0 && n > 0
      ? [`In-Reply-To: <lab-${n - 1}@example.com>`, `References: <lab-0@example.com>\r\n <lab-${n - 1}@example.com>`]
      : []),
    'MIME-Version: 1.0',
  ]
  const body = kinds[n % kinds.length]!(n)
  return Buffer.from(`${head.join('\r\n')}\r\n${body}`, 'latin1')
}

/** A plain message of about so many bytes, for measurements. */
export function messageOfSize(n: number, size: number): Buffer {
  const head = `From: sender@example.com\r\nTo: recipient@example.org\r\nSubject: message ${n}\r\nMessage-ID: <size-${n}@example.com>\r\nDate: Mon, 02 Feb 2026 08:00:00 +0000\r\n\r\n`
  const line = `${`line of message ${n} `.padEnd(70, 'abcdefghij klmnopqrst ')}\r\n`
  const lines = Math.max(1, Math.ceil((size - head.length) / line.length))
  const text = (head + line.repeat(lines)).slice(0, Math.max(size - 2, head.length + 10))
  return Buffer.from(`${text}\r\n`, 'latin1')
}

function plain(n: number): string {
  const lines = Array.from({ length: 3 + (n % 40) }, (_, line) => `Line ${line} of the body of message ${n}.`)
  return `Content-Type: text/plain; charset=us-ascii\r\n\r\n${lines.join('\r\n')}\r\n.leading dot\r\n..two\r\n`
}

function alternative(n: number): string {
  const boundary = `=_alt_${n}`
  return [
    `Content-Type: multipart/alternative; boundary="${boundary}"`,
    '',
    'This is a message in MIME format.',
    `--${boundary}`,
    'Content-Type: text/plain; charset=utf-8; format=flowed',
    'Content-Transfer-Encoding: quoted-printable',
    '',
    `Hello =C3=A4 ${n}`,
    `--${boundary}`,
    'Content-Type: text/html; charset="utf-8"',
    'Content-Language: en, de',
    '',
    `<p>Hello ${n}</p>`,
    `--${boundary}--`,
    '',
  ].join('\r\n')
}

function attachment(n: number): string {
  const boundary = `----=_Part_${n}_`
  const bytes = Buffer.alloc(500 + (n % 50) * 400, `attachment ${n} `)
  const encoded = bytes.toString('base64').replace(/.{76}/g, '$&\r\n')
  return [
    'Content-Type: multipart/mixed;',
    `\tboundary="${boundary}"`,
    '',
    `--${boundary}`,
    'Content-Type: text/plain',
    '',
    'See attached.',
    `--${boundary}`,
    `Content-Type: application/octet-stream; name="file ${n}.bin"`,
    `Content-Disposition: attachment; filename="file ${n}.bin"; size=${bytes.length}`,
    'Content-Transfer-Encoding: base64',
    `Content-ID: <part-${n}@example.com>`,
    'Content-Description: a file',
    '',
    encoded,
    `--${boundary}--`,
    '',
  ].join('\r\n')
}

function eightBit(n: number): string {
  return `Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xdcbung macht den Meister ${n}: \xe4\xf6\xfc\xdf\r\n`
}

function nested(n: number): string {
  const inner = sampleMessage(n + 1).toString('latin1')
  const boundary = `nest${n}`
  return [
    `Content-Type: multipart/digest; boundary=${boundary}`,
    '',
    `--${boundary}`,
    '',
    inner,
    `--${boundary}`,
    'Content-Type: message/rfc822',
    '',
    'Subject: the inner one',
    '',
    'inner body',
    `--${boundary}--`,
    '',
  ].join('\r\n')
}

function longHeaders(n: number): string {
  const references = Array.from({ length: 60 }, (_, k) => ` <reference-${n}-${k}@a-rather-long-host-name.example.com>`)
  return `X-Long: ${'x'.repeat(900)}\r\nX-Folded:\r\n${references.join('\r\n')}\r\nX-Empty: \r\nContent-Type: text/plain\r\n\r\nlong headers ${n}\r\n`
}

function oddities(n: number): string {
  return `Content-Type: TEXT/X-Odd; Param=Value; quoted="a \\"b\\" c"; extended*=utf-8''%e2%82%ac\r\nContent-Disposition: inline\r\n\r\n${n % 2 ? '' : '\r\n\r\n'}tab\there, no end of line at the end${n}`
}

function related(n: number): string {
  const boundary = `rel_${n}`
  return [
    `Content-Type: multipart/related; type="text/html"; boundary="${boundary}"`,
    '',
    `--${boundary}`,
    'Content-Type: text/html',
    '',
    `<img src="cid:img${n}">`,
    `--${boundary}`,
    'Content-Type: image/png',
    'Content-Transfer-Encoding: base64',
    `Content-ID: <img${n}>`,
    'Content-Location: http://example.com/img.png',
    '',
    Buffer.from(`not really a png ${n}`).toString('base64'),
    `--${boundary}--`,
    '',
  ].join('\r\n')
}
