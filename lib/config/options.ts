/**
 * The one table of imapd.conf options that cyrus-ts honours: type, default, unit, meaning.
 * Names and defaults are those of Cyrus 3.6.1 unless `since` says that the option is ours.
 * A name that is used anywhere in the code stands here; known_elsewhere.ts lists names that Cyrus has and we give no effect.
 */
import type { DurationUnit, SizeUnit } from './values.js'

interface Common {
  readonly name: string
  /** what it does, in a sentence for the administrator */
  readonly meaning: string
  /** 'cyrus-ts' for an addition of ours; absent for Cyrus' own */
  readonly since?: 'cyrus-ts'
}

export type Option =
  | (Common & { readonly type: 'string'; readonly default: string | undefined; readonly values?: readonly string[] })
  | (Common & { readonly type: 'switch'; readonly default: boolean })
  | (Common & {
      readonly type: 'int'
      readonly default: number
      readonly min?: number
      readonly max?: number
      /** a value outside of min to max that stands for "none" */
      readonly none?: number
    })
  | (Common & { readonly type: 'duration'; readonly default: number; readonly unit: DurationUnit })
  | (Common & { readonly type: 'size'; readonly default: number; readonly unit: SizeUnit })

const string = (
  name: string,
  value: string | undefined,
  meaning: string,
  extra: { values?: readonly string[]; since?: 'cyrus-ts' } = {},
): Option => ({
  type: 'string',
  name,
  default: value,
  meaning,
  ...extra,
})
const toggle = (name: string, value: boolean, meaning: string, since?: 'cyrus-ts'): Option => ({
  type: 'switch',
  name,
  default: value,
  meaning,
  since,
})
const int = (
  name: string,
  value: number,
  meaning: string,
  extra: { min?: number; max?: number; none?: number; since?: 'cyrus-ts' } = {},
): Option => ({
  type: 'int',
  name,
  default: value,
  meaning,
  ...extra,
})
/** @param value seconds */
const duration = (name: string, value: number, unit: DurationUnit, meaning: string, since?: 'cyrus-ts'): Option => ({
  type: 'duration',
  name,
  default: value,
  unit,
  meaning,
  since,
})
/** @param value bytes */
const size = (name: string, value: number, unit: SizeUnit, meaning: string): Option => ({
  type: 'size',
  name,
  default: value,
  unit,
  meaning,
})

const MINUTE = 60

const TABLE: readonly Option[] = [
  // where things are
  string(
    'configdirectory',
    '/var/lib/cyrus',
    'Directory of the database, locks, sockets, logs and the replication log.',
  ),
  string('defaultpartition', 'default', 'Partition on which new mailboxes are made.'),
  string('proc_path', undefined, 'Directory of one small file for each busy process; {configdirectory}/proc if unset.'),
  string('idlesocket', undefined, 'UNIX socket that idled keeps; {configdirectory}/socket/idle if unset.'),
  size('store_map_size', 64 * 1024 ** 3, 'B', 'Largest size of the store’s database; address space, not disk.'),

  // who runs, who may
  string('cyrus_user', 'cyrus', 'User that programs become when started as root.'),
  string('cyrus_group', undefined, 'Group that programs take; the user’s own if unset.'),
  string('admins', '', 'Users with administrative rights, separated by blanks.'),
  string(
    'servername',
    undefined,
    'Host name in greetings and the realm of users without one; the machine’s name if unset.',
  ),
  string('umask', '077', 'File mode mask, octal.'),
  string('defaultdomain', 'internal', 'Domain of users without one, with virtdomains.'),
  string('virtdomains', 'off', 'Whether user names carry domains.', {
    values: ['off', 'userid', 'on', 'no', 'yes', '0', '1', 't', 'f', 'true', 'false'],
  }),

  // process model
  int(
    'service_connections',
    0,
    'Connections that one process of a service serves at once; 1 is one process a connection, 0 the service’s own choice.',
    { min: 0, max: 65535, since: 'cyrus-ts' },
  ),
  string('syslog_prefix', undefined, 'First part of the name in syslog; `cyrus` if unset.'),
  string('syslog_facility', 'MAIL', 'Syslog facility.'),
  int('sync_machineid', -1, 'This machine’s number in message UUIDs (provide_uuid), 1 to 255; -1 is none.', {
    min: 1,
    max: 255,
    none: -1,
  }),
  string('qosmarking', 'cs0', 'DiffServ code point with which master marks the services’ sockets.', {
    values: [
      ...['ef', 'cs0', 'cs1', 'cs2', 'cs3', 'cs4', 'cs5', 'cs6', 'cs7', 'af11', 'af12', 'af13', 'af21', 'af22', 'af23'],
      ...['af31', 'af32', 'af33', 'af41', 'af42', 'af43'],
    ],
  }),
  toggle('master_bind_errors_fatal', false, 'Whether master gives up when it cannot bind a listener at start.'),
  string(
    'master_ready_file',
    undefined,
    'File that is there while master is ready for work; {configdirectory}/master.ready if unset.',
  ),
  string('master_pid_file', undefined, 'File in which master keeps its process id.'),
  toggle(
    'prometheus_enabled',
    true,
    'Whether master writes its figures for each service to master.txt in `prometheus_stats_dir`. (Cyrus 3.6.1 writes nothing unless it is on.)',
  ),
  string('prometheus_stats_dir', undefined, 'Directory of that file; {configdirectory}/stats if unset.'),
  duration('prometheus_update_freq', 10, 's', 'How often that file is brought up to date; at least 1 s.'),
  string(
    'prometheus_listen',
    undefined,
    'Where master serves the same figures over HTTP, at /metrics: `[host:]port` or a UNIX socket’s path; without host only this machine can ask. Unset: nowhere.',
    { since: 'cyrus-ts' },
  ),
  toggle('debug', false, 'Whether debug messages are logged.'),
  string('debug_command', undefined, 'Command started for a service with -D; %s is the program, %d the process id.'),

  // names and rights
  toggle('altnamespace', true, 'Whether a user’s mailboxes stand beside INBOX instead of below it.'),
  toggle('unixhierarchysep', true, 'Whether the hierarchy separator is / instead of a dot.'),
  string('userprefix', 'Other Users', 'Prefix of other users’ mailboxes, with altnamespace.'),
  string('sharedprefix', 'Shared Folders', 'Prefix of shared mailboxes, with altnamespace.'),
  toggle('disable_user_namespace', false, 'Whether LIST shows users no mailboxes of others.'),
  toggle('disable_shared_namespace', false, 'Whether LIST shows users no shared mailboxes.'),
  string('defaultacl', 'anyone lrs', 'ACL of shared mailboxes made without a parent.'),
  string('delete_mode', 'delayed', 'Whether deleted mailboxes are removed at once or kept below DELETED.', {
    values: ['immediate', 'delayed'],
  }),
  string('expunge_mode', 'delayed', 'Whether files of expunged messages are removed at once or kept for a while.', {
    values: ['immediate', 'default', 'delayed', 'semidelayed'],
  }),

  // what mailboxes are for
  string('specialuse_extra', undefined, 'Further special uses that mailboxes may be given, separated by blanks.'),
  string('specialuse_nochildren', undefined, 'Special uses whose mailboxes have none below them.'),
  string(
    'specialuse_protect',
    '\\Archive \\Drafts \\Important \\Junk \\Sent \\Trash',
    'Special uses whose mailboxes are neither deleted nor moved to another parent.',
  ),
  toggle('specialusealways', true, 'Whether LIST and LSUB tell special uses without being asked.'),
  toggle(
    'allowspecialusesubfolder',
    false,
    'Whether CREATE may give a use to mailboxes that are not directly below INBOX.',
  ),

  // annotations
  toggle(
    'annotation_allow_undefined',
    false,
    'Whether clients may store annotations under names that neither Cyrus nor annotation_definitions knows.',
  ),
  toggle(
    'annotation_enable_legacy_commands',
    false,
    'Whether there are GETANNOTATION and SETANNOTATION, for clients that know no METADATA.',
  ),
  string(
    'annotation_definitions',
    undefined,
    'File of further annotations: lines of name, scope, type, proxy, attributes, rights.',
  ),

  // new users, and users who may not
  size(
    'autocreate_quota',
    -1,
    'K',
    'Whether users who have no INBOX get one when they log in: -1 is no, 0 without a quota, else its STORAGE.',
  ),
  int('autocreate_quota_messages', -1, 'MESSAGE quota of such an INBOX; -1 is none.', { min: -1 }),
  string('autocreate_users', 'anyone', 'Users for whom that is done, separated by blanks.'),
  string('autocreate_inbox_folders', undefined, 'Folders made with it below INBOX, with | between.'),
  string('autocreate_subscribe_folders', undefined, 'Those of them that are subscribed.'),
  string('autocreate_acl', undefined, 'Rights on them: folder, identifier, rights; with commas between.'),
  string(
    'autocreate_subscribe_sharedfolders',
    undefined,
    'Shared folders that are subscribed with it, with | between.',
  ),
  toggle(
    'autocreate_subscribe_sharedfolders_all',
    false,
    'Whether all shared folders that may be seen are subscribed.',
  ),
  string(
    'autocreate_sieve_script',
    undefined,
    'File with a Sieve script that such a user gets, as the active one; named as the file is without .script.',
  ),
  toggle('autocreate_post', false, 'Whether an INBOX is also made when mail comes for a user who has none.'),
  string(
    'userdeny_db_path',
    undefined,
    'File of users who may not use a service; {configdirectory}/user_deny.db if unset.',
  ),
  int('quotawarnpercent', 90, 'Share of a quota above which SELECT warns.', { min: 0, max: 100 }),
  size(
    'quotawarnsize',
    0,
    'K',
    'STORAGE left below which SELECT warns, beside quotawarnpercent; 0 is as if it were all.',
  ),
  int('quotawarnmsg', 0, 'MESSAGE left below which SELECT warns, beside quotawarnpercent; 0 is as if it were all.', {
    min: 0,
  }),
  int('maxlogins_per_host', 0, 'Most logged-in sessions from one address; 0 is no limit.', { min: 0 }),
  int('maxlogins_per_user', 0, 'Most logged-in sessions of one user; 0 is no limit.', { min: 0 }),
  toggle('telemetry_bysessionid', false, 'Whether files of telemetry are named for the session, not for the process.'),
  toggle('allowusermoves', false, 'Whether administrators may give a user another name by RENAME of the INBOX.'),
  toggle('allowanonymouslogin', false, 'Whether anybody may log in to imapd as the user anonymous.'),
  toggle('loginuseacl', false, 'Whether who has the right a to the INBOX of a user may log in as that user.'),
  toggle('ignorereference', false, 'Whether the reference of LIST and LSUB is ignored.'),
  toggle('allowsetacl', true, 'Whether SETACL and DELETEACL may be used.'),
  toggle('anyoneuseracl', true, 'Whether users who are no administrators may give rights to anyone.'),

  // mail in
  toggle('lmtp_downcase_rcpt', true, 'Whether recipients are folded to lower case.'),
  toggle('lmtp_fuzzy_mailbox_match', false, 'Whether a detail that is no mailbox is delivered to the nearest parent.'),
  toggle('lmtp_over_quota_perm_failure', false, 'Whether a full mailbox is a permanent failure.'),
  toggle('lmtp_strict_quota', false, 'Whether a message that would go over quota is refused.'),
  duration('lmtptxn_timeout', 5 * MINUTE, 's', 'How long a conversation with lmtpd may be silent.'),
  size('maxmessagesize', 0, 'B', 'Largest message accepted; 0 is no limit.'),
  toggle('munge8bit', true, 'Whether 8-bit characters in headers are made X.'),
  toggle('soft_noauth', true, 'Whether lmtpd answers mail without authentication with a temporary failure.'),
  toggle('reject8bit', false, 'Whether 8-bit characters in headers are refused.'),
  string('postmaster', 'postmaster', 'Address that stands for the administrator.'),

  // IMAP
  duration('timeout', 32 * MINUTE, 'm', 'How long an IMAP connection may be silent; at least 30 minutes.'),
  duration('imapidletimeout', 0, 'm', 'How long an idling connection may be silent; 0 is as `timeout`.'),
  duration('imapidlepoll', 60, 's', 'How often an idling connection looks by itself if change notices cannot be had.'),
  string('serverinfo', 'on', 'How much greetings tell.', {
    values: ['on', 'off', 'min', '0', '1', 'yes', 'no', 't', 'f', 'true', 'false'],
  }),
  toggle('allowplaintext', false, 'Whether plaintext passwords may be used on a connection without TLS.'),
  toggle('username_tolower', true, 'Whether login names are folded to lower case.'),
  string('loginrealms', '', 'Realms whose users may log in, separated by blanks.'),
  duration(
    'failedloginpause',
    3,
    's',
    'Pause before a failed login is answered; doubled with each further failure from the same address.',
  ),
  duration('failedloginpause_max', MINUTE, 's', 'Longest pause before a failed login is answered.', 'cyrus-ts'),
  size('maxquoted', 128 * 1024, 'B', 'Largest quoted string read.'),
  size('maxword', 128 * 1024, 'B', 'Largest bare word read.'),
  size('maxliteral', 128 * 1024, 'B', 'Largest literal read where no message is expected.'),

  // SASL
  string(
    'sasl_pwcheck_method',
    undefined,
    'How plaintext passwords are checked: auxprop (our password file) or saslauthd.',
  ),
  string('sasl_sasldb_path', undefined, 'Our password file; {configdirectory}/sasldb.json if unset.'),
  string('sasl_saslauthd_path', undefined, 'Socket of saslauthd, or the directory that holds its `mux`.'),
  string(
    'sasl_mech_list',
    undefined,
    'Mechanisms offered, separated by blanks. If unset: all that work, but CRAM-MD5 and DIGEST-MD5, which must be named.',
  ),
  int('sasl_minimum_layer', 0, 'Bits of encryption that a connection needs before anybody may log in.', {
    min: 0,
    max: 256,
  }),
  toggle(
    'sasl_auto_transition',
    false,
    'Whether a verified plaintext password leaves those keys in the password file that other mechanisms need.',
  ),
  string('proxyservers', '', 'Users who may log in as anybody else, beside the admins, separated by blanks.'),
  string(
    'oauth_keys',
    undefined,
    'Keys with which OAUTHBEARER tokens (JWT) are signed: a JSON Web Key Set, or a public key in PEM.',
    { since: 'cyrus-ts' },
  ),
  string('oauth_introspection_url', undefined, 'Where tokens are checked if oauth_keys is unset (RFC 7662).', {
    since: 'cyrus-ts',
  }),
  string('oauth_client_id', undefined, 'As whom tokens are checked there.', { since: 'cyrus-ts' }),
  string('oauth_client_secret', undefined, 'The password that goes with oauth_client_id.', { since: 'cyrus-ts' }),
  string('oauth_issuer', undefined, 'The issuer that tokens must name.', { since: 'cyrus-ts' }),
  string('oauth_audience', undefined, 'The audience that tokens must name.', { since: 'cyrus-ts' }),
  string('oauth_scope', undefined, 'Scopes that tokens must have, separated by blanks.', { since: 'cyrus-ts' }),
  string('oauth_user_claim', 'sub', 'The claim of a token that is the user’s name.', { since: 'cyrus-ts' }),
  string('oauth_discovery_url', undefined, 'Where clients learn how to get a token (RFC 8414).', {
    since: 'cyrus-ts',
  }),
  duration(
    'sasl_password_cache',
    5 * MINUTE,
    's',
    'How long a verified password is remembered in memory, under a keyed hash; 0 is not at all.',
    'cyrus-ts',
  ),
  string('force_sasl_client_mech', undefined, 'The mechanism our clients use whatever is offered.'),

  // search
  string(
    'search_engine',
    'squat',
    'How SEARCH finds texts: `none` looks at every message; `squat` and `xapian` use, and fill, an index that says which messages need not be looked at; the answers are the same. (Cyrus 3.6.1’s default is none.)',
    { values: ['none', 'squat', 'xapian'] },
  ),

  // TLS
  string('tls_server_cert', undefined, 'Certificate chain, PEM; two of them (RSA and EC) with a comma between.'),
  string('tls_server_key', undefined, 'Private key, PEM; in tls_server_cert if unset.'),
  toggle('tls_required', false, 'Whether nobody may log in without TLS.'),
  string('tls_versions', 'tls1_0 tls1_1 tls1_2 tls1_3', 'TLS versions spoken; 1.2 and 1.3 if unset.'),
  string('tls_ciphers', 'DEFAULT', 'Ciphers, in the notation of ciphers(1).'),
  toggle('tls_prefer_server_ciphers', false, 'Whether the order of our ciphers counts, not the client’s.'),
  string('tls_eccurve', undefined, 'Elliptic curves for key exchange; what OpenSSL finds best if unset.'),
  string('tls_server_dhparam', undefined, 'Diffie-Hellman parameters, PEM.'),
  duration('tls_session_timeout', 1440 * MINUTE, 'm', 'How long a TLS session may be taken up again.'),
  string('tls_client_certs', 'optional', 'Whether clients are asked for certificates.', {
    values: ['off', 'optional', 'require'],
  }),
  string('tls_client_ca_file', undefined, 'CA certificates that clients’ certificates are checked against, PEM.'),
  string('tls_client_ca_dir', undefined, 'Directory of such certificates.'),
  string('tls_crl_file', undefined, 'Certificate revocation list, PEM.'),

  // replication
  toggle('sync_log', false, 'Whether changes are written to the replication log.'),
  string('sync_log_channels', undefined, 'Channels to whose logs changes are written; "" is the default channel.'),
  toggle('sync_log_chain', false, 'Whether sync_server writes the log too, so that a replica feeds another.'),
  string('sync_log_unsuppressable_channels', 'squatter', 'Channels that sync_server writes in any case.'),
  string('sync_host', undefined, 'The replica.'),
  string(
    'sync_port',
    undefined,
    'Port or service name of the replica’s sync_server, or of its imapd (see sync_try_imap); if unset, imap (143) then csync (2005).',
  ),
  toggle(
    'sync_try_imap',
    true,
    'Replicate inside IMAP where a server offers it (X-REPLICATION). Without sync_port the replica’s IMAP service is tried before its csync service; with it, whichever answers there is used.',
  ),
  string(
    'sync_protocol',
    'auto',
    'What replication speaks: auto finds out, 3 is the protocol of 2.4 and later, 2.3 or 2.3.N that of such a release.',
    { since: 'cyrus-ts' },
  ),
  string('sync_authname', undefined, 'User as which sync_client logs in; an administrator of the replica.'),
  string('sync_password', undefined, 'Its password.'),
  string('sync_realm', undefined, 'Its realm.'),
  duration(
    'sync_repeat_interval',
    0,
    's',
    'Least time from the start of one rolling round to the next, kept if it is set. Unset: the next starts as soon as there is work. (Cyrus 3.6.1 takes 1s when it is unset, which is most of its lag.)',
  ),
  string('sync_shutdown_file', undefined, 'A rolling sync_client ends when this file appears.'),
  duration('sync_timeout', 30 * MINUTE, 's', 'How long a replication peer may be silent; at least 3 s.'),
  duration(
    'sync_reconnect_maxwait',
    20 * MINUTE,
    's',
    'Longest pause between two attempts to reach the replica; 0 is no limit.',
  ),
  string(
    'sync_mode',
    'async',
    'When a change is acknowledged: async, when it is durable here; semisync, when it is on the replica too.',
    { values: ['async', 'semisync'], since: 'cyrus-ts' },
  ),
  duration(
    'sync_semisync_timeout',
    5,
    's',
    'semisync: how long the replica is waited for; after that changes are acknowledged without it until it is back, which is logged.',
    'cyrus-ts',
  ),
  string(
    'sync_semisync_channel',
    undefined,
    'semisync: the channel whose replica is waited for; the default one if unset.',
    { since: 'cyrus-ts' },
  ),
  int(
    'sync_parallel',
    4,
    'Connections to the replica at most, for rolling replication and sync_client -A; 1 is Cyrus’ way.',
    {
      since: 'cyrus-ts',
      min: 1,
      max: 64,
    },
  ),
  toggle(
    'sync_compress',
    false,
    'Whether replication is compressed even to this machine itself; to others it is if they offer it.',
  ),
  int('sync_batch_size', 0, 'Most messages in one UPLOAD to a replica of the 2.3 generation; 0 is no limit.', {
    min: 0,
  }),
  int('sync_batchsize', 8192, 'Most new messages that one replication command tells of.', { min: 1 }),
  duration('client_timeout', 10, 's', 'How long connecting may take.'),
]

/** The table by name. */
export const OPTIONS: ReadonlyMap<string, Option> = new Map(TABLE.map((option) => [option.name, option]))
