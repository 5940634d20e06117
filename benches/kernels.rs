//! Matrix products and convolutions, as a share of what the machine can do at most.
//!
//! ```text
//! cargo bench --bench kernels                           # all of them
//! cargo bench --bench kernels -- gemm.512 conv64        # those whose names contain one of these
//! RAYON_NUM_THREADS=1 cargo bench --bench kernels       # on one thread
//! ```
//!
//! The peak, fused multiply-adds in registers on as many threads, is measured in turns with each kernel, because clocks
//! change and neighbours come and go. Of both, the rate is that of the tenth percentile of the times. The operations that
//! are counted are those of the definition: a kernel that gets by with fewer, as Winograd's do, may exceed the peak.

mod arguments;
mod peak;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use arguments::Arguments;
use peak::peak;
use retrograd::prelude::*;
use retrograd::tensor::{Geometry, Sliding, Slot, Transposed};

const HELP: &str = "usage: cargo bench --bench kernels -- [--csv] [--list] [NAME]...

  NAME    a part of the names that --list prints; all of those if there is none
  --csv   print kernel,p10_ms,gflops,peak_gflops,share
  --list  print the names only

gemm.MxKxN.nt is [m, k] · [n, k]ᵀ; conv.NET.LAYER.weight is the kernel that gives the weight's gradient.
RAYON_NUM_THREADS is the number of threads, RETROGRAD_SIMD (portable, avx2 or avx512) the level.";

/// How often kernel and peak take turns, and for how long each time.
const TURNS: usize = 5;
const TURN: Duration = Duration::from_millis(50);

/// m, k and n of the matrix products.
const PRODUCTS: [[usize; 3]; 7] =
    [[64; 3], [128; 3], [256; 3], [512; 3], [1024; 3], [2048; 3], [64, 400, 120]];

/// Convolutions: input `[n, c, h, w]`, and output channels, kernel and padding.
const CONVOLUTIONS: [(&str, [usize; 4], [usize; 3]); 12] = [
    ("conv64", [32, 64, 16, 16], [64, 3, 1]),
    ("conv16_32", [64, 16, 28, 28], [32, 3, 1]),
    ("lenet.1", [64, 1, 28, 28], [6, 5, 2]),
    ("lenet.2", [64, 6, 14, 14], [16, 5, 0]),
    ("smallcnn.1", [64, 1, 28, 28], [32, 3, 1]),
    ("smallcnn.2", [64, 32, 28, 28], [64, 3, 1]),
    ("vggish.1", [64, 3, 32, 32], [32, 3, 1]),
    ("vggish.2", [64, 32, 32, 32], [32, 3, 1]),
    ("vggish.3", [64, 32, 16, 16], [64, 3, 1]),
    ("vggish.4", [64, 64, 16, 16], [64, 3, 1]),
    ("vggish.5", [64, 64, 8, 8], [128, 3, 1]),
    ("vggish.6", [64, 128, 8, 8], [128, 3, 1]),
];

/// A kernel by its name, and how it is made ready.
struct Kernel {
    name: String,
    prepare: Box<dyn FnOnce() -> Result<Prepared>>,
}

/// A kernel with its operands, and how many multiply-adds it makes.
struct Prepared {
    multiply_adds: usize,
    call: Box<dyn Fn() -> Result<Tensor>>,
}

fn main() -> ExitCode {
    arguments::finish(run())
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { csv, list, names } = Arguments::read(HELP)?;
    let mut kernels: Vec<Kernel> = products().chain(convolutions()).collect();
    kernels.retain(|kernel| names.is_empty() || names.iter().any(|name| kernel.name.contains(name)));
    if list {
        kernels.iter().for_each(|kernel| println!("{}", kernel.name));
        return Ok(());
    }
    if kernels.is_empty() {
        // No error: `cargo bench -- train.lenet` hands the names of workloads to this program as well.
        eprintln!("no kernel is named {}; --help says what there is", names.join(" or "));
        return Ok(());
    }
    let threads = threads()?;
    if csv {
        println!("kernel,p10_ms,gflops,peak_gflops,share");
    } else {
        let (one, all) = (best(|| peak(1)), best(|| peak(threads)));
        println!("peak, {}: {one:.0} GFLOP/s on one thread, {all:.0} on {threads}\n", peak::description());
        println!("{:26} {:>9} {:>9} {:>9} {:>7}", "kernel", "p10 ms", "GFLOP/s", "peak", "share");
    }
    for Kernel { name, prepare } in kernels {
        let (milliseconds, rate, peak) = measure(&prepare()?, threads)?;
        let share = rate / peak;
        match csv {
            true => println!("{name},{milliseconds:.5},{rate:.1},{peak:.1},{share:.3}"),
            false => println!("{name:26} {milliseconds:9.4} {rate:9.1} {peak:9.1} {:6.1}%", 100.0 * share),
        }
    }
    Ok(())
}

/// The number of threads that the library uses.
fn threads() -> Result<usize, Box<dyn std::error::Error>> {
    let asked = std::env::var("RAYON_NUM_THREADS").ok().and_then(|threads| threads.parse().ok());
    Ok(match asked.filter(|&threads: &usize| threads > 0) {
        Some(threads) => threads,
        None => std::thread::available_parallelism()?.get(),
    })
}

/// The kernel's time in milliseconds, its rate and the peak, in GFLOP/s.
fn measure(kernel: &Prepared, threads: usize) -> Result<(f64, f64, f64)> {
    let mut times = Vec::new();
    let mut peaks = Vec::new();
    black_box((kernel.call)()?);
    for _ in 0..TURNS {
        let begin = Instant::now();
        while begin.elapsed() < TURN {
            let begin = Instant::now();
            black_box((kernel.call)()?);
            times.push(begin.elapsed().as_secs_f64());
        }
        let begin = Instant::now();
        while begin.elapsed() < TURN {
            peaks.push(peak(threads));
        }
    }
    times.sort_by(f64::total_cmp);
    peaks.sort_by(|a, b| b.total_cmp(a));
    let (time, peak) = (times[times.len() / 10], peaks[peaks.len() / 10]);
    Ok((time * 1e3, 2e-9 * kernel.multiply_adds as f64 / time, peak))
}

/// The tenth percentile from the top of a rate that is measured for a while.
fn best(rate: impl Fn() -> f64) -> f64 {
    let mut rates: Vec<f64> = (0..20).map(|_| rate()).collect();
    rates.sort_by(|a, b| b.total_cmp(a));
    rates[rates.len() / 10]
}

fn products() -> impl Iterator<Item = Kernel> {
    let layouts = [("nn", [false, false]), ("nt", [false, true]), ("tn", [true, false])];
    PRODUCTS.into_iter().flat_map(move |[m, k, n]| {
        layouts.map(|(layout, [a, b])| {
            let extents = if m == k && k == n { m.to_string() } else { format!("{m}x{k}x{n}") };
            let prepare = move || product([m, k, n], Transposed { a, b });
            Kernel { name: format!("gemm.{extents}.{layout}"), prepare: Box::new(prepare) }
        })
    })
}

fn product([m, k, n]: [usize; 3], transposed: Transposed) -> Result<Prepared> {
    let rng = &mut StdRng::seed_from_u64(0);
    let a = Tensor::<f32>::randn(if transposed.a { [k, m] } else { [m, k] }, rng)?;
    let b = Tensor::randn(if transposed.b { [n, k] } else { [k, n] }, rng)?;
    Ok(Prepared { multiply_adds: m * k * n, call: Box::new(move || a.product(&b, transposed)) })
}

fn convolutions() -> impl Iterator<Item = Kernel> {
    let slots = [("output", Slot::Output), ("input", Slot::Input), ("weight", Slot::Weight)];
    CONVOLUTIONS.into_iter().flat_map(move |(layer, input, [channels, kernel, padding])| {
        slots.map(|(name, slot)| {
            let prepare = move || convolution(input, [channels, input[1], kernel, kernel], padding, slot);
            Kernel { name: format!("conv.{layer}.{name}"), prepare: Box::new(prepare) }
        })
    })
}

fn convolution(input: [usize; 4], weight: [usize; 4], padding: usize, slot: Slot) -> Result<Prepared> {
    let sliding = Sliding { padding: [[padding; 2]; 2], ..Sliding::default() };
    let geometry = Geometry::convolution("conv2d", &input, &weight, 1, sliding)?;
    let rng = &mut StdRng::seed_from_u64(0);
    let [a, b] = slot.operands().map(|slot| geometry.shape(slot));
    let (a, b) = (Tensor::<f32>::randn(a, rng)?, Tensor::randn(b, rng)?);
    let taps: usize = weight[1..].iter().product();
    let multiply_adds = geometry.shape(Slot::Output).iter().product::<usize>() * taps;
    Ok(Prepared { multiply_adds, call: Box::new(move || geometry.solve(slot, [&a, &b])) })
}
