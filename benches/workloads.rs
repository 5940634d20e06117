//! Whole training steps and inferences, timed.
//!
//! ```text
//! cargo bench                                   # all of them
//! cargo bench -- train.lenet --csv              # those whose names contain it, a line of numbers each
//! RAYON_NUM_THREADS=1 cargo bench               # on one thread
//! ```
//!
//! A training step is forward, loss, backward and SGD with momentum 0.9 on one fixed random batch.

use std::time::{Duration, Instant};

use retrograd::prelude::*;

/// Time for warming up and for measuring, for each workload.
const WARM_UP: Duration = Duration::from_millis(200);
const MEASURE: Duration = Duration::from_millis(800);

type Network = fn(&mut StdRng) -> Result<Sequential>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let csv = arguments.iter().any(|argument| argument == "--csv");
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let report = Report { csv, filters };
    report.header();

    let networks: [(&str, Network, &[usize]); 3] =
        [("lenet", lenet, &[1, 28, 28]), ("smallcnn", smallcnn, &[1, 28, 28]), ("mlp", mlp, &[784])];
    for (name, network, shape) in networks {
        let batches: &[usize] = match name {
            "lenet" => &[1, 16, 64, 256],
            "smallcnn" => &[64],
            _ => &[128],
        };
        for &batch in batches {
            report.run(&format!("train.{name}.b{batch}"), || training(network, shape, batch))?;
        }
    }
    for batch in [1, 64] {
        report.run(&format!("infer.lenet.b{batch}"), || inference(lenet, &[1, 28, 28], batch))?;
    }
    report.run("tape.chain1000", || {
        let tape = Tape::new();
        Ok(Box::new(move || chain(&tape, 1000)))
    })
}

/// Something to be timed, made ready.
type Step = Box<dyn FnMut() -> Result<()>>;

fn training(network: Network, shape: &[usize], batch: usize) -> Result<Step> {
    let rng = &mut StdRng::seed_from_u64(0);
    let mut model = network(rng)?;
    let x = Tensor::randn([&[batch], shape].concat(), rng)?;
    let labels = Tensor::from_fn([batch], || (rng.next_u32() % 10).into())?;
    let tape = Tape::new();
    let mut optimizer = Sgd::new(0.01).momentum(0.9);
    Ok(Box::new(move || {
        tape.clear();
        let loss = model.forward(&tape.constant(x.clone()))?.cross_entropy(&labels)?;
        optimizer.step(&mut model, &loss.backward()?)?;
        std::hint::black_box(loss.item()?);
        Ok(())
    }))
}

fn inference(network: Network, shape: &[usize], batch: usize) -> Result<Step> {
    let rng = &mut StdRng::seed_from_u64(0);
    let model = network(rng)?;
    let x = Tensor::randn([&[batch], shape].concat(), rng)?;
    Ok(Box::new(move || {
        std::hint::black_box(model.predict(&x)?);
        Ok(())
    }))
}

/// y ← y·a + b on scalars, `links` times, and backward.
fn chain(tape: &Tape, links: usize) -> Result<()> {
    tape.clear();
    let a = tape.leaf(Tensor::scalar(0.999));
    let b = tape.leaf(Tensor::scalar(0.001));
    let mut y = tape.leaf(Tensor::scalar(1.0));
    for _ in 0..links {
        y = y.mul(&a)?.add(&b)?;
    }
    std::hint::black_box(y.backward()?);
    Ok(())
}

fn lenet(rng: &mut StdRng) -> Result<Sequential> {
    Ok(sequential![
        Conv2d::new(1, 6, 5).padding(2).build(rng)?,
        Tanh,
        AvgPool2d::new(2),
        Conv2d::new(6, 16, 5).build(rng)?,
        Tanh,
        AvgPool2d::new(2),
        Flatten::default(),
        Linear::new(400, 120).build(rng)?,
        Tanh,
        Linear::new(120, 84).build(rng)?,
        Tanh,
        Linear::new(84, 10).build(rng)?,
    ])
}

fn smallcnn(rng: &mut StdRng) -> Result<Sequential> {
    Ok(sequential![
        Conv2d::new(1, 32, 3).padding(1).build(rng)?,
        ReLU,
        Conv2d::new(32, 64, 3).padding(1).build(rng)?,
        ReLU,
        MaxPool2d::new(2),
        Flatten::default(),
        Linear::new(64 * 14 * 14, 128).build(rng)?,
        ReLU,
        Linear::new(128, 10).build(rng)?,
    ])
}

fn mlp(rng: &mut StdRng) -> Result<Sequential> {
    Ok(sequential![
        Linear::new(784, 512).build(rng)?,
        ReLU,
        Linear::new(512, 256).build(rng)?,
        ReLU,
        Linear::new(256, 10).build(rng)?,
    ])
}

struct Report<'a> {
    csv: bool,
    filters: Vec<&'a String>,
}

impl Report<'_> {
    fn header(&self) {
        if self.csv {
            println!("workload,median_ms,p10_ms,iterations,peak_rss_mb");
        } else {
            println!("{:20} {:>10} {:>10} {:>10}", "workload", "median ms", "p10 ms", "iterations");
        }
    }

    fn run(&self, name: &str, make: impl FnOnce() -> Result<Step>) -> Result<()> {
        if !self.filters.is_empty() && !self.filters.iter().any(|filter| name.contains(*filter)) {
            return Ok(());
        }
        let mut step = make()?;
        let begin = Instant::now();
        while begin.elapsed() < WARM_UP {
            step()?;
        }
        let mut times = Vec::new();
        let begin = Instant::now();
        while begin.elapsed() < MEASURE || times.len() < 5 {
            let begin = Instant::now();
            step()?;
            times.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let (median, tenth, count) = (times[times.len() / 2], times[times.len() / 10], times.len());
        if self.csv {
            println!(
                "{name},{median:.5},{tenth:.5},{count},{}",
                peak_rss_mb().map_or(String::new(), |mb| mb.to_string())
            );
        } else {
            println!("{name:20} {median:10.4} {tenth:10.4} {count:10}");
        }
        Ok(())
    }
}

/// The most memory that this process held, where the system tells (Linux).
fn peak_rss_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? / 1024)
}
