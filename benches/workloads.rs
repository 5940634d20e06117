//! Whole training steps, inferences, single operations and the tape, timed: the same workloads, by the same names, as
//! the programs in `benches/peers` run.
//!
//! ```text
//! cargo bench --bench workloads                          # all of them
//! cargo bench --bench workloads -- lenet tape --csv      # those whose names contain one of these, as CSV
//! cargo bench --bench workloads -- train.smallcnn.b512   # a full name: that one, any batch
//! RAYON_NUM_THREADS=1 cargo bench --bench workloads      # on one thread
//! ```
//!
//! Several workloads run in a process each, one after the other, so that neither memory nor caches of one are there when
//! the next begins.

mod arguments;
mod networks;
mod products;
mod timing;

use std::hint::black_box;
use std::process::{Command, ExitCode, Stdio};

use arguments::Arguments;
use networks::Network;
use retrograd::prelude::*;
use retrograd::tensor::{Sliding, Transposed};
use timing::{COLUMNS, Row};

/// The workloads that are run unless others are asked for; what names no pass stands for both.
const ALL: &str = "train.lenet.b1 train.lenet.b16 train.lenet.b64 train.lenet.b256 train.smallcnn.b64 \
    train.vggish.b64 train.mlp.b128 op.conv64 op.conv16_32 op.convt32_16 op.maxpool op.relu op.tanh op.sigmoid \
    op.xent op.mmskinny op.mm64 op.mm128 op.mm256 op.mm512 op.mm1024 op.mm2048 op.mmskinnynt.fwd op.mmskinnytn.fwd \
    op.mm64nt.fwd op.mm64tn.fwd op.mm128nt.fwd op.mm128tn.fwd op.mm256nt.fwd op.mm256tn.fwd op.mm512nt.fwd \
    op.mm512tn.fwd op.mm1024nt.fwd op.mm1024tn.fwd op.mm2048nt.fwd op.mm2048tn.fwd tape.chain1000 infer.lenet.b1 \
    infer.lenet.b64 infer.vggish.b1 infer.vggish.b64";

const HELP: &str = "usage: cargo bench --bench workloads -- [--csv] [--list] [NAME]...

  NAME    a full name, or a part of the names that --list prints; all of those if there is none.
          Full names are also train.NET.bN and infer.NET.bN of the networks lenet, smallcnn, vggish and mlp with any
          batch N, train.NET.bN.shardsS with any number of shards S, and op.mmN.fwd and op.mmN.fwdbwd with any size N;
          mmNnt takes the right operand transposed, mmNtn the left one.
  --csv   print workload,median_ms,p10_ms,iterations,peak_rss_mb
  --list  print the names only

RAYON_NUM_THREADS is the number of threads.";

/// Something to be timed.
type Step = Box<dyn FnMut() -> Result<()>>;
/// Makes a step ready: weights and inputs are drawn here.
type Prepare = Box<dyn FnOnce() -> Result<Step>>;
type Function = Box<dyn Fn(&[Var]) -> Result<Var>>;

fn main() -> ExitCode {
    arguments::finish(run())
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { csv, list, names } = Arguments::read(HELP)?;
    let names = select(&names)?;
    if list {
        println!("{}", names.join("\n"));
        return Ok(());
    }
    if csv {
        println!("{COLUMNS}");
    } else {
        println!(
            "{:22} {:>11} {:>11} {:>10} {:>9}",
            "workload", "median ms", "p10 ms", "iterations", "peak MiB"
        );
    }
    let alone = names.len() == 1;
    for name in names {
        let row = match workload(&name) {
            Some(prepare) if alone => line(&Row::measure(&name, prepare()?)?, csv),
            _ => in_a_process(&name, csv)?,
        };
        println!("{row}");
    }
    Ok(())
}

fn line(row: &Row, csv: bool) -> String {
    if csv {
        return row.csv();
    }
    let Row { name, median_ms, p10_ms, iterations, peak_mib } = row;
    let peak = peak_mib.map_or(String::new(), |mib| format!("{mib:.1}"));
    format!("{name:22} {median_ms:11.4} {p10_ms:11.4} {iterations:10} {peak:>9}")
}

/// The row of a workload that this program, called once more, measures alone.
fn in_a_process(name: &str, csv: bool) -> Result<String, Box<dyn std::error::Error>> {
    let mut child = Command::new(std::env::current_exe()?);
    let output = child.args(csv.then_some("--csv")).arg(name).stderr(Stdio::inherit()).output()?;
    match String::from_utf8(output.stdout)?.lines().nth(1) {
        Some(row) if output.status.success() => Ok(row.to_owned()),
        _ => Err(format!("{name} ended with {}", output.status).into()),
    }
}

/// The full names of the workloads that are asked for, each once.
fn select(wanted: &[String]) -> Result<Vec<String>, String> {
    let all: Vec<String> = ALL
        .split_whitespace()
        .flat_map(|name| match workload(name) {
            Some(_) => vec![name.to_owned()],
            None => vec![format!("{name}.fwd"), format!("{name}.fwdbwd")],
        })
        .collect();
    let mut names: Vec<String> = if wanted.is_empty() { all.clone() } else { Vec::new() };
    for part in wanted {
        let matching: Vec<&String> = match workload(part) {
            Some(_) => vec![part],
            None => all.iter().filter(|name| name.contains(part)).collect(),
        };
        if matching.is_empty() {
            let all = all.join("\n");
            return Err(format!("{HELP}\n\nThe workloads:\n{all}\n\nno workload is named {part}"));
        }
        let new: Vec<String> = matching.into_iter().filter(|name| !names.contains(name)).cloned().collect();
        names.extend(new);
    }
    Ok(names)
}

/// What is done under a full name, if it is one.
fn workload(name: &str) -> Option<Prepare> {
    match name.split('.').collect::<Vec<_>>()[..] {
        ["train", network, batch] => {
            let (network, batch) = (Network::named(network)?, number(batch, "b")?);
            Some(Box::new(move || training(network, batch)))
        }
        ["train", network, batch, shards] => {
            let (network, batch) = (Network::named(network)?, number(batch, "b")?);
            let shards = number(shards, "shards")?;
            Some(Box::new(move || training_in_shards(network, batch, shards)))
        }
        ["infer", network, batch] => {
            let (network, batch) = (Network::named(network)?, number(batch, "b")?);
            Some(Box::new(move || inference(network, batch)))
        }
        ["op", operation, pass] => {
            let (backward, (shapes, function)) = (backward(pass)?, self::operation(operation)?);
            Some(Box::new(move || {
                let rng = &mut StdRng::seed_from_u64(0);
                let inputs =
                    shapes.into_iter().map(|shape| Tensor::randn(shape, rng)).collect::<Result<_>>()?;
                single(inputs, function, backward)
            }))
        }
        ["tape", "chain1000", pass] => {
            let backward = backward(pass)?;
            let inputs = [1.0, 0.999, 0.001].map(Tensor::scalar);
            Some(Box::new(move || single(inputs.into(), Box::new(chain), backward)))
        }
        _ => None,
    }
}

/// The number after a prefix: `b64` is 64.
fn number(text: &str, prefix: &str) -> Option<usize> {
    text.strip_prefix(prefix)?.parse().ok().filter(|&number| number > 0)
}

/// Whether a pass goes back as well.
fn backward(pass: &str) -> Option<bool> {
    match pass {
        "fwd" => Some(false),
        "fwdbwd" => Some(true),
        _ => None,
    }
}

/// The shapes of an operation's inputs, and the operation.
fn operation(name: &str) -> Option<(Vec<Vec<usize>>, Function)> {
    const ELEMENTS: usize = 4 << 20;
    let (shapes, function): (_, Function) = match name {
        "conv64" => (vec![vec![32, 64, 16, 16], vec![64, 64, 3, 3], vec![64]], Box::new(conv)),
        "conv16_32" => (vec![vec![64, 16, 28, 28], vec![32, 16, 3, 3], vec![32]], Box::new(conv)),
        "convt32_16" => {
            let sliding = Sliding { stride: [2; 2], ..Sliding::default() };
            let transposed = move |x: &[Var]| x[0].conv_transpose(&x[1], Some(&x[2]), 1, sliding, [0; 2]);
            (vec![vec![32, 32, 14, 14], vec![32, 16, 3, 3], vec![16]], Box::new(transposed))
        }
        "maxpool" => (vec![vec![64, 32, 28, 28]], Box::new(|x| x[0].max_pool2d(2))),
        "relu" => (vec![vec![ELEMENTS]], Box::new(|x| Ok(x[0].relu()))),
        "tanh" => (vec![vec![ELEMENTS]], Box::new(|x| Ok(x[0].tanh()))),
        "sigmoid" => (vec![vec![ELEMENTS]], Box::new(|x| Ok(x[0].sigmoid()))),
        "xent" => {
            let labels = labels(4096, 1000, &mut StdRng::seed_from_u64(1)).ok()?;
            (vec![vec![4096, 1000]], Box::new(move |x| x[0].cross_entropy(&labels)))
        }
        _ => {
            let (shapes, [a, b]) = products::named(name)?;
            (shapes.map(Vec::from).into(), Box::new(move |x| x[0].product(&x[1], Transposed { a, b })))
        }
    };
    Some((shapes, function))
}

/// A 3×3 convolution with padding 1 and a bias.
fn conv(x: &[Var]) -> Result<Var> {
    let sliding = Sliding { padding: [[1; 2]; 2], ..Sliding::default() };
    x[0].conv(&x[1], Some(&x[2]), 1, sliding)
}

/// y ← y·a + b, a thousand times: two nodes each.
fn chain(x: &[Var]) -> Result<Var> {
    let [y, a, b] = x else { unreachable!("the chain has three inputs") };
    (0..1000).try_fold(y.clone(), |y, _| y.mul(a)?.add(b))
}

/// A function of inputs: nothing recorded, or recorded and gone back through from a cotangent of ones to all inputs.
fn single(inputs: Vec<Tensor>, function: Function, backward: bool) -> Result<Step> {
    let bare: Vec<Var> = inputs.iter().map(Var::from).collect();
    if !backward {
        return Ok(Box::new(move || {
            black_box(function(&bare)?);
            Ok(())
        }));
    }
    let ones = function(&bare)?.value().ones_like();
    let tape = Tape::new();
    Ok(Box::new(move || {
        tape.clear();
        let leaves: Vec<Var> = inputs.iter().map(|input| tape.leaf(input.clone())).collect();
        black_box(function(&leaves)?.backward_with(ones.clone())?);
        Ok(())
    }))
}

/// Forward, loss, backward and SGD with momentum 0.9, and the loss is read, on one fixed random batch.
fn training(network: Network, batch: usize) -> Result<Step> {
    let rng = &mut StdRng::seed_from_u64(0);
    let mut model = (network.build)(rng)?;
    let x = Tensor::randn([&[batch], network.input].concat(), rng)?;
    let labels = labels(batch, 10, rng)?;
    let tape = Tape::new();
    let mut optimizer = Sgd::new(0.01).momentum(0.9);
    Ok(Box::new(move || {
        tape.clear();
        let loss = model.forward(&tape.constant(x.clone()))?.cross_entropy(&labels)?;
        optimizer.step(&mut model, &loss.backward()?)?;
        black_box(loss.item()?);
        Ok(())
    }))
}

/// The same step, the batch cut into shards, each on one thread.
fn training_in_shards(network: Network, batch: usize, shards: usize) -> Result<Step> {
    let rng = &mut StdRng::seed_from_u64(0);
    let mut model = (network.build)(rng)?;
    let x = Tensor::randn([&[batch], network.input].concat(), rng)?;
    let batch = (x, labels(batch, 10, rng)?);
    let mut shards = Shards::new(shards)?;
    let mut optimizer = Sgd::new(0.01).momentum(0.9);
    Ok(Box::new(move || {
        let (loss, gradients) = shards.gradients(&batch, |tape, (x, labels)| {
            model.forward(&tape.constant(x))?.cross_entropy(&labels)
        })?;
        optimizer.step(&mut model, &gradients)?;
        black_box(loss);
        Ok(())
    }))
}

fn inference(network: Network, batch: usize) -> Result<Step> {
    let rng = &mut StdRng::seed_from_u64(0);
    let model = (network.build)(rng)?;
    let x = Tensor::randn([&[batch], network.input].concat(), rng)?;
    Ok(Box::new(move || {
        black_box(model.predict(&x)?);
        Ok(())
    }))
}

fn labels(count: usize, classes: u32, rng: &mut StdRng) -> Result<Tensor<i64>> {
    Tensor::from_fn([count], || (rng.next_u32() % classes).into())
}
