//! A bulk export under consents, against reading the same rows and writing them to files without
//! asking whether anybody may see them.
//!
//! `cargo bench --bench read -- export 1000000` for so many resources instead of 200,000.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use throughline::app::{App, Config};
use throughline::clock::SystemClock;
use throughline::config::{AuditMode, ClientSettings};
use throughline::domain::Kind;
use throughline::policy::{Principal, Purpose, Under};
use throughline::store::{NewResource, Store};

use crate::http::{judge, median, serve};
use crate::practice::{self, EACH};
use crate::{permit, usage};

/// For each second of CPU what was exported and what was written unasked; what was exported a second as
/// it went by; and the memory held.
type Round = (f64, f64, f64, u64);

/// Resources where no other number is asked for.
const RESOURCES: usize = 200_000;
/// Measurements of each, taken in turn.
const ROUNDS: usize = 3;
/// Resources for each second of CPU, at least.
const LEAST: f64 = 60_000.0;
/// How much of the speed without a filter is left, at least.
const PART: f64 = 0.5;
/// The most memory that it may take, in MB.
const MAY_HOLD: u64 = 200;
/// Of so many patients one has released nothing.
const WITHHELD: usize = 100;
/// What a patient has beside the Patient, as often each.
const TYPES: [&str; 7] = [
    "Encounter",
    "Appointment",
    "Communication",
    "Observation",
    "Condition",
    "Goal",
    "DocumentReference",
];

/// Measures and reports.
pub(crate) fn run(out: &mut impl Write) -> io::Result<()> {
    let asked = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let patients = asked.unwrap_or(RESOURCES) / EACH;
    // Not in memory, where a temporary folder may be.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let app = open(folder.path());
    let shown = fill(app.store(), patients);
    let token = token(&app);
    let address = serve(app);
    let all = patients * EACH;
    writeln!(out, "an export of {shown} of {all} resources, half a second between looks:")?;
    usage::forget_peak();
    let mut rounds: Vec<Round> = Vec::new();
    for round in 0..ROUNDS {
        let (cpu, began) = (usage::cpu(), Instant::now());
        let counted = export(address, &token)?;
        let (spent, took) = (usage::cpu().saturating_sub(cpu), began.elapsed());
        assert_eq!(counted, shown, "what was released is exported, and nothing else");
        let held = usage::peak_memory();
        let cpu = usage::cpu();
        let written = floor(folder.path(), &folder.path().join(format!("floor-{round}")))?;
        let floor = usage::cpu().saturating_sub(cpu);
        assert_eq!(written, all + practice::STAFF + 1, "all are there");
        let rate = |count: usize, time: Duration| {
            f64::from(u32::try_from(count).unwrap()) / time.as_secs_f64()
        };
        rounds.push((rate(shown, spent), rate(written, floor), rate(shown, took), held));
    }
    let middle = |of: fn(&Round) -> f64| median(rounds.iter().map(of));
    let (export, floor, wall) =
        (middle(|round| round.0), middle(|round| round.1), middle(|round| round.2));
    let ratio = middle(|round| round.0 / round.1);
    let held = rounds.iter().map(|round| round.3).max().unwrap_or_default();
    writeln!(
        out,
        "{:34} {export:8.0} for each second of CPU, has to be {LEAST}",
        "under consents"
    )?;
    writeln!(out, "{:34} {wall:8.0} a second as it went by", "")?;
    writeln!(out, "{:34} {floor:8.0} for each second of CPU", "read and written unasked")?;
    writeln!(out, "ratio {ratio:.2}, has to be {PART} or more")?;
    writeln!(out, "peak memory {held} MB, may be {MAY_HOLD}")?;
    judge(export < LEAST || ratio < PART || held > MAY_HOLD)
}

fn open(folder: &Path) -> App {
    let client: ClientSettings = serde_json::from_value(json!({
        "id": permit::RECIPIENTS[1], "tenant": practice::tenant().as_str(), "name": "EHR",
        "auth": "asymmetric", "jwks": r#"{"keys":[]}"#, "scopes": "system/*.rs", "purpose": "TREAT"
    }))
    .unwrap();
    let config = Config {
        data: folder.to_owned(),
        mappings: Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings"),
        audit: AuditMode::Closed,
        clients: vec![client],
        ..Config::default()
    };
    App::open(&config, Arc::new(SystemClock)).unwrap()
}

/// The token of a practice elsewhere, which looks under consents.
fn token(app: &App) -> String {
    let client = permit::RECIPIENTS[1];
    let principal = Principal {
        under: Some(Under::of_client(client, Some(Purpose::Treatment))),
        ..Principal::new(practice::tenant(), client, "system/*.rs")
    };
    app.tokens().issue(&principal, Duration::from_hours(1), None).unwrap().0
}

/// Puts patients with their records into the store, and what they released; answers how many
/// resources that is.
fn fill(store: &dyn Store, patients: usize) -> usize {
    let tenant = practice::tenant();
    practice::fill_staff(store);
    let mut shown = 0;
    for first in (0..patients).step_by(20) {
        let mut write = store.write().unwrap();
        for patient in first..patients.min(first + 20) {
            let first = patient * EACH;
            let mut person = practice::person(first);
            "client".clone_into(&mut person.guard.class);
            let name = format!("cli_{patient}");
            write.put_projection(&tenant, Kind::Client, &name, vec![person]).unwrap();
            for number in first + 1..first + EACH {
                let made = vec![one(number)];
                let origin = format!("ses_{number}");
                write.put_projection(&tenant, Kind::SessionLog, &origin, made).unwrap();
            }
            if patient % WITHHELD > 0 {
                let patient = practice::patient(first);
                write.put_allowed(&tenant, &patient, &permit::allowed()).unwrap();
                shown += EACH;
            }
        }
        write.commit().unwrap();
    }
    // What is nobody's says who works where.
    shown + practice::STAFF + 1
}

/// A resource of one of the types, with the bytes of an Encounter: an export looks at the names of
/// elements nowhere.
fn one(number: usize) -> NewResource {
    let name = TYPES[number % TYPES.len()];
    let mut made = practice::encounter(number);
    "session".clone_into(&mut made.guard.class);
    if name != "Encounter" {
        let text = std::str::from_utf8(&made.resource.body).unwrap();
        let of = |name| format!(r#""resourceType":"{name}""#);
        made.resource.body = text.replace(&of("Encounter"), &of(name)).into_bytes().into();
        name.clone_into(&mut made.resource.resource_type);
        // An export reads none of the rows of the index, which would be most of the file.
        made.index = Vec::new();
    }
    made
}

/// Asks for everything, and waits until it is there; answers how many resources that is.
fn export(address: SocketAddr, token: &str) -> io::Result<usize> {
    let (status, head, _) = ask(address, token, "GET", "/fhir/$export")?;
    assert_eq!(status, 202, "{head}");
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-location:"));
    let url = line.unwrap().split_once(':').unwrap().1.trim();
    let path = url.get(url.find("/fhir/").unwrap()..).unwrap();
    loop {
        let (status, head, body) = ask(address, token, "GET", path)?;
        if status == 200 {
            let manifest: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(manifest["error"], json!([]));
            let files = manifest["output"].as_array().unwrap();
            let count = files.iter().map(|file| file["count"].as_u64().unwrap()).sum::<u64>();
            // The next one begins with as little on the disk.
            assert_eq!(ask(address, token, "DELETE", path)?.0, 202);
            return Ok(usize::try_from(count).unwrap());
        }
        assert_eq!(status, 202, "{head}");
        thread::park_timeout(Duration::from_millis(500));
    }
}

/// One request on a connection of its own: the status, the head and the body of the answer.
fn ask(
    address: SocketAddr,
    token: &str,
    method: &str,
    path: &str,
) -> io::Result<(u16, String, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nPrefer: respond-async\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let body = answer.split_off(end + 4);
    let head = String::from_utf8(answer).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok((status, head, body))
}

/// Reads every resource on a connection of its own, in the order of an export, and writes it to the
/// file of its type; answers how many there are.
fn floor(data: &Path, to: &Path) -> io::Result<usize> {
    std::fs::create_dir(to)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let store = Connection::open_with_flags(data.join("store.sqlite"), flags).unwrap();
    let mut select = store
        .prepare("SELECT type, body FROM resource ORDER BY tenant, patient, type, updated DESC, id")
        .unwrap();
    let mut rows = select.query([]).unwrap();
    let mut files: Vec<(String, BufWriter<File>)> = Vec::new();
    let mut count = 0;
    while let Some(row) = rows.next().unwrap() {
        let name = row.get_ref(0).unwrap().as_str().unwrap();
        let place = if let Some(place) = files.iter().position(|(known, _)| known == name) {
            place
        } else {
            let file = BufWriter::with_capacity(64 * 1024, File::create(to.join(name))?);
            files.push((name.to_owned(), file));
            files.len() - 1
        };
        let (_, file) = &mut files[place];
        file.write_all(row.get_ref(1).unwrap().as_blob().unwrap())?;
        file.write_all(b"\n")?;
        count += 1;
    }
    for (_, file) in files {
        file.into_inner()?.sync_data()?;
    }
    std::fs::remove_dir_all(to)?;
    Ok(count)
}
