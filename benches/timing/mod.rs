//! How a workload is timed: the same for this library and for the peers that are written in Rust.

use std::time::{Duration, Instant};

/// Time for warming up and for measuring, for each workload, and the fewest steps that are measured.
const WARM_UP: Duration = Duration::from_millis(200);
const MEASURE: Duration = Duration::from_millis(500);
const FEWEST: usize = 5;

/// The columns of a row as CSV.
pub(crate) const COLUMNS: &str = "workload,median_ms,p10_ms,iterations,peak_rss_mb";

/// What was measured of a workload.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) median_ms: f64,
    /// The tenth percentile.
    pub(crate) p10_ms: f64,
    pub(crate) iterations: usize,
    /// The most memory that this process held until now, in MiB, where the system tells.
    pub(crate) peak_mib: Option<f64>,
}

impl Row {
    /// Repeats a step, first to warm up and then to be measured.
    pub(crate) fn measure<E>(name: &str, mut step: impl FnMut() -> Result<(), E>) -> Result<Row, E> {
        let begin = Instant::now();
        while begin.elapsed() < WARM_UP {
            step()?;
        }
        let mut times = Vec::new();
        let begin = Instant::now();
        while begin.elapsed() < MEASURE || times.len() < FEWEST {
            let begin = Instant::now();
            step()?;
            times.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        Ok(Row {
            name: name.to_owned(),
            median_ms: times[times.len() / 2],
            p10_ms: times[times.len() / 10],
            iterations: times.len(),
            peak_mib: peak_mib(),
        })
    }

    /// The row as CSV.
    pub(crate) fn csv(&self) -> String {
        let Row { name, median_ms, p10_ms, iterations, peak_mib } = self;
        let peak = peak_mib.map_or(String::new(), |mib| format!("{mib:.1}"));
        format!("{name},{median_ms:.5},{p10_ms:.5},{iterations},{peak}")
    }
}

/// The high-water mark of the resident set (Linux).
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
}
