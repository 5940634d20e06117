//! Trains a LeNet-style network and saves it.
//!
//! ```text
//! cargo run --release --example train                       # on the handwritten digits that come with the crate
//! cargo run --release --example train -- --data DIR         # on MNIST or Fashion-MNIST, as IDX files in DIR
//! ```

mod lenet;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use lenet::LeNet;
use retrograd::data::check_writable;
use retrograd::prelude::*;
use retrograd::{Progress, save_with, tensor};

/// Trains a LeNet-style network on images and saves it as safetensors.
#[derive(Parser)]
struct Options {
    /// A directory with train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-… and t10k-labels-… (or
    /// .gz); without it, the handwritten digits that come with the crate
    #[arg(long)]
    data: Option<PathBuf>,
    /// How often to go through the training images [default: 30, with --data 5]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: Option<u64>,
    /// Images in a step
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Learning rate of the first epoch; it falls to zero along half a cosine
    #[arg(long, default_value_t = 2e-3, allow_negative_numbers = true)]
    lr: f64,
    /// Seed of the weights, of the order of the images and of the dropout; the same seed gives the same model, bit
    /// by bit, with the same vector instructions (RETROGRAD_SIMD), at any number of threads
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Threads [default: as many as the machine has]
    #[arg(long)]
    threads: Option<usize>,
    /// Where to write the model
    #[arg(long, default_value = "model.safetensors")]
    output: PathBuf,
}

fn main() -> Result<()> {
    let options = Options::parse();
    if let Some(threads) = options.threads {
        tensor::set_num_threads(threads)?;
    }
    // Found out now rather than after the first epoch.
    check_writable(&options.output).map_err(|error| failed(format!("--output: {}", error.fact())))?;
    let (train, test) = match &options.data {
        Some(directory) => Images::from_idx_dir(directory)?,
        None => digits(),
    };
    for (images, what) in [(&train, "train"), (&test, "test")] {
        if images.is_empty() {
            return Err(failed(format!("--data: there are no images to {what} with")));
        }
    }
    let epochs = options.epochs.unwrap_or(if options.data.is_some() { 5 } else { 30 });
    let statistics = train.statistics();
    let (shape, classes) = (train.shape(), train.classes());
    let train = DataLoader::new(train.normalize(&statistics)?, options.batch)?.shuffle(options.seed);
    let test = DataLoader::new(test.normalize(&statistics)?, 256)?;

    let mut model = LeNet::new(shape, classes, &mut StdRng::seed_from_u64(options.seed))?;
    println!("{} parameters, images {shape:?}, {classes} classes", model.num_parameters());

    // What `predict` needs to know besides the weights.
    let about = BTreeMap::from([
        ("shape".to_owned(), format!("{} {} {}", shape[0], shape[1], shape[2])),
        ("classes".to_owned(), classes.to_string()),
        ("scale".to_owned(), statistics.scale().to_string()),
        ("mean".to_owned(), join(statistics.mean())),
        ("std".to_owned(), join(statistics.std())),
    ]);

    let tape = Tape::new();
    let mut optimizer = Adam::new(options.lr);
    for epoch in 0..epochs {
        // Half a cosine from the full rate down to zero: large steps first, small ones to settle.
        let done = epoch as f64 / epochs as f64;
        optimizer.set_learning_rate(options.lr * (1.0 + (std::f64::consts::PI * done).cos()) / 2.0);

        // What dropout draws, like the order of the images, depends on the epoch alone, not on those before.
        tape.reseed(options.seed.wrapping_add(epoch));

        let begin = Instant::now();
        let progress = Progress::new(format!("epoch {}/{epochs}", epoch + 1), train.len());
        let (mut total, mut images_seen) = (0.0, 0);
        for (images, labels) in train.epoch(epoch) {
            let batch = labels.numel();
            tape.clear();
            let logits = model.forward(&tape.constant(images))?;
            let loss = logits.cross_entropy(&labels)?;
            let gradients = loss.backward()?;
            optimizer.step(&mut model, &gradients)?;
            let loss = f64::from(loss.item()?);
            if !loss.is_finite() {
                let fact = format!(
                    "the loss is {loss} in epoch {}: try a smaller --lr than {}",
                    epoch + 1,
                    options.lr
                );
                return Err(failed(fact));
            }
            total += loss * batch as f64;
            images_seen += batch;
            progress.advance(format!("loss {:.4}", total / images_seen as f64));
        }
        drop(progress);
        let speed = images_seen as f64 / begin.elapsed().as_secs_f64();
        println!(
            "epoch {}/{epochs}: loss {:.4}, test accuracy {:.2} %, {speed:.0} images/s",
            epoch + 1,
            total / images_seen as f64,
            100.0 * accuracy(&model, &test)?,
        );
        // After every epoch, so that an interrupted run leaves the last whole one.
        save_with(&model, &options.output, &about)?;
    }
    println!("saved {}", options.output.display());
    Ok(())
}

/// The share of images whose class the model finds.
fn accuracy(model: &LeNet, loader: &DataLoader) -> Result<f64> {
    let (mut right, mut count) = (0, 0);
    for (images, labels) in loader.epoch(0) {
        let found = model.predict(&images)?.argmax(1)?.eq(&labels)?;
        right += found.as_slice().iter().filter(|&&found| found).count();
        count += labels.numel();
    }
    Ok(right as f64 / count as f64)
}

fn failed(fact: String) -> Error {
    Error::outside("train", fact)
}

fn join(numbers: &[f32]) -> String {
    numbers.iter().map(f32::to_string).collect::<Vec<_>>().join(" ")
}
