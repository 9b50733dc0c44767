//! A real PostgreSQL: one for the whole test run with a database for each test, or one of its own
//! for a test that stops it.
//!
//! The shared server ends with the process that runs the tests, however that ends: a watcher waits
//! for the other end of a pipe to close.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use throughline::config::{DatabaseUrl, StoreSettings};
use throughline::store::{PostgresStore, Upgrade};
use tokio_postgres::NoTls;

/// Faster, and safe as long as the machine stays up: what was committed outlives a kill.
const FLAGS: &[&str] = &[
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=64MB",
    "max_connections=200",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "autovacuum=off",
];

/// A server of its own.
pub(crate) struct PostgresServer {
    port: u16,
    folder: TempDir,
    child: Option<Child>,
}

impl PostgresServer {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let binaries = binaries();
        let folder = ram_folder();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        let data = folder.path().join("data");
        let made = as_postgres(&binaries.join("initdb"))
            .args(["--no-sync", "-A", "trust", "-E", "UTF8", "--locale=C", "-U", "postgres", "-D"])
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(made.unwrap().success(), "initdb failed");
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut server = Self { port, folder, child: None };
        server.start_again();
        server
    }

    /// Starts it (again) on the same port, and waits until it answers.
    pub(crate) fn start_again(&mut self) {
        let mut command = as_postgres(&binaries().join("postgres"));
        command.arg("-D").arg(self.folder.path().join("data")).arg("-p").arg(self.port.to_string());
        for flag in FLAGS {
            command.arg("-c").arg(flag);
        }
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        self.child =
            Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let deadline = Instant::now() + Duration::from_mins(1);
        while !self.answers() {
            assert!(Instant::now() < deadline, "PostgreSQL does not answer");
            pause(Duration::from_millis(20));
        }
    }

    /// Ends it at once, as a crash would, with every connection.
    pub(crate) fn kill(&mut self) {
        self.signal("-QUIT");
        if let Some(mut child) = self.child.take() {
            child.wait().unwrap();
        }
    }

    /// Stops its processes, which then keep their connections and answer nothing; or lets them go
    /// on.
    pub(crate) fn pause(&self, stopped: bool) {
        let signal = if stopped { "-STOP" } else { "-CONT" };
        let Some(child) = &self.child else { return };
        let of_it = Command::new("pgrep").arg("-P").arg(child.id().to_string()).output().unwrap();
        let children = String::from_utf8(of_it.stdout).unwrap();
        let all = children.lines().map(str::to_owned).chain([child.id().to_string()]);
        Command::new("kill").arg(signal).args(all).status().unwrap();
    }

    fn signal(&self, signal: &str) {
        if let Some(child) = &self.child {
            let _ = Command::new("kill").arg(signal).arg(child.id().to_string()).status();
        }
    }

    /// A new, empty database.
    pub(crate) fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.admin(&format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// A new database that is migrated.
    pub(crate) fn migrated(&self) -> String {
        let url = self.database();
        PostgresStore::migrate(&settings(&url), Upgrade::default(), &mut |_| ()).unwrap();
        url
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    fn answers(&self) -> bool {
        execute(&self.url("postgres"), "SELECT 1").is_ok()
    }

    fn admin(&self, sql: &str) {
        execute(&self.url("postgres"), sql).unwrap();
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.pause(false);
        self.kill();
    }
}

/// The server that tests share, each with a database of its own; it is ended with the process.
pub(crate) fn shared() -> &'static PostgresServer {
    static SHARED: OnceLock<PostgresServer> = OnceLock::new();
    static WATCHER: Mutex<Option<Child>> = Mutex::new(None);
    SHARED
        .get_or_init(|| {
            let server = PostgresServer::start();
            let pid = server.child.as_ref().unwrap().id();
            // `read` ends when this process is gone and its end of the pipe is closed.
            let script = format!(
                "read _; kill -QUIT {pid}; for i in $(seq 100); do kill -0 {pid} 2>/dev/null || break; sleep 0.05; done; \
                 rm -rf '{}'",
                server.folder.path().display()
            );
            let watcher = Command::new("sh")
                .args(["-c", &script])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            *WATCHER.lock().unwrap() = Some(watcher);
            server
        })
}

/// The settings of a store in that database, with limits that suit a test.
pub(crate) fn settings(url: &str) -> StoreSettings {
    StoreSettings {
        url: Some(DatabaseUrl::from(url.to_owned())),
        readers: 6,
        connect_timeout_s: 5,
        statement_timeout_s: 20,
        lock_timeout_s: 15,
        ..StoreSettings::default()
    }
}

thread_local! {
    /// Whether data folders that this thread begins to use have a database instead of a file.
    static INSTEAD: Cell<bool> = const { Cell::new(false) };
}

/// The databases of data folders that have one.
static FOLDERS: Mutex<BTreeMap<PathBuf, String>> = Mutex::new(BTreeMap::new());

/// Runs tests again, each over databases in the place of the files of data folders.
pub(crate) fn again(tests: &[fn()]) {
    INSTEAD.set(true);
    for test in tests {
        test();
    }
    INSTEAD.set(false);
    assert!(!FOLDERS.lock().unwrap().is_empty(), "they used databases");
}

/// The database of a data folder, if it has one.
pub(crate) fn of_folder(data: &Path) -> Option<String> {
    let mut folders = FOLDERS.lock().unwrap();
    if INSTEAD.get() && !folders.contains_key(data) {
        folders.insert(data.to_owned(), shared().migrated());
    }
    folders.get(data).cloned()
}

/// A store in a new database of the shared server.
pub(crate) fn store() -> PostgresStore {
    let url = shared().migrated();
    PostgresStore::open(&settings(&url)).unwrap()
}

/// Runs statements past the product, as another program would.
pub(crate) fn execute(url: &str, sql: &str) -> Result<(), tokio_postgres::Error> {
    with(url, async |client| client.batch_execute(sql).await)
}

/// The one number that a query answers.
pub(crate) fn number(url: &str, sql: &str) -> i64 {
    with(url, async |client| client.query_one(sql, &[]).await).unwrap().get(0)
}

/// The lines that a query answers.
pub(crate) fn lines(url: &str, sql: &str) -> Vec<String> {
    let rows = with(url, async |client| client.query(sql, &[]).await).unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn with<T: Send>(
    url: &str,
    work: impl AsyncFnOnce(tokio_postgres::Client) -> Result<T, tokio_postgres::Error> + Send,
) -> Result<T, tokio_postgres::Error> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            let carried = tokio::spawn(connection);
            let answer = work(client).await;
            drop(carried);
            answer
        })
    };
    // A test may be asynchronous itself.
    std::thread::scope(|scope| scope.spawn(run).join().unwrap())
}

/// Where the programs are.
fn binaries() -> PathBuf {
    let mut places: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    places.sort();
    places.insert(0, "/usr/local/bin".into());
    let has_both =
        |place: &PathBuf| ["initdb", "postgres"].iter().all(|name| place.join(name).exists());
    let found = places.into_iter().find(has_both);
    assert!(found.is_some(), "PostgreSQL is missing: tests/run installs it");
    found.unwrap()
}

/// PostgreSQL refuses to run as root.
fn as_postgres(program: &Path) -> Command {
    let is_root =
        fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
    if !is_root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

fn ram_folder() -> TempDir {
    let ram = Path::new("/dev/shm");
    let builder = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix("throughline-pg-");
        builder
    };
    if ram.is_dir() { builder().tempdir_in(ram) } else { builder().tempdir() }.unwrap()
}

/// Waits without keeping a thread busy.
pub(crate) fn pause(time: Duration) {
    let (_keep, never) = mpsc::channel::<()>();
    never.recv_timeout(time).unwrap_err();
}
