/** Options that had another name in older releases of Cyrus (2.3 to 3.4): files made for those are read as they were meant. */
const CURRENT: ReadonlyMap<string, string> = new Map([
  ['autocreateinboxfolders', 'autocreate_inbox_folders'],
  ['autocreatequota', 'autocreate_quota'],
  ['autocreatequotamsg', 'autocreate_quota_messages'],
  ['autosubscribeinboxfolders', 'autocreate_subscribe_folders'],
  ['autosubscribesharedfolders', 'autocreate_subscribe_sharedfolders'],
  ['autosubscribe_all_sharedfolders', 'autocreate_subscribe_sharedfolders_all'],
  ['createonpost', 'autocreate_post'],
  ['tls_ca_file', 'tls_client_ca_file'],
  ['tls_ca_path', 'tls_client_ca_dir'],
  ['tls_cert_file', 'tls_server_cert'],
  ['tls_key_file', 'tls_server_key'],
  ['tls_cipher_list', 'tls_ciphers'],
])

/** The name by which an option goes now; what has no other goes by its own. */
export function currentName(name: string): string {
  return CURRENT.get(name) ?? name
}
