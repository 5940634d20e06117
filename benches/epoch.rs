//! A real epoch: smallcnn on Fashion-MNIST, data loading included.
//!
//! ```text
//! cargo bench --bench epoch -- DIR          # DIR with train-images-idx3-ubyte, … or .gz
//! cargo bench --bench epoch -- DIR 5        # five epochs
//! ```
//!
//! Batches of 64, SGD with learning rate 0.01 and momentum 0.9. Prints `epoch,seconds,train_loss,test_accuracy_percent`;
//! the seconds are those of training. `cargo bench` without a directory does nothing here.

// Of the arguments, this needs the names; of the networks, one.
#[allow(dead_code)]
mod arguments;
#[allow(dead_code)]
mod networks;

use std::path::{Path, is_separator};
use std::process::ExitCode;
use std::time::Instant;

use arguments::Arguments;
use networks::SMALLCNN;
use retrograd::prelude::*;

const HELP: &str = "usage: cargo bench --bench epoch -- DIR [EPOCHS]

  DIR     has Fashion-MNIST as IDX files, train-images-idx3-ubyte and so on, with or without .gz
  EPOCHS  how many, one if it is not given

Prints epoch,seconds,train_loss,test_accuracy_percent. RAYON_NUM_THREADS is the number of threads.";

fn main() -> ExitCode {
    arguments::finish(run())
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { names, .. } = Arguments::read(HELP)?;
    // No error: `cargo bench -- train.lenet` hands the names of workloads to this program as well.
    let Some(directory) =
        names.first().filter(|name| name.contains(is_separator) || Path::new(name).is_dir())
    else {
        eprintln!("no epoch without a directory of images; --help says more");
        return Ok(());
    };
    let epochs = match names.get(1) {
        Some(epochs) => epochs.parse().map_err(|_| format!("{epochs} is no number of epochs"))?,
        None => 1,
    };

    let (train, test) = Images::from_idx_dir(directory)?;
    let statistics = train.statistics();
    let train = DataLoader::new(train.normalize(&statistics)?, 64)?.shuffle(0);
    let test = DataLoader::new(test.normalize(&statistics)?, 500)?;
    let mut model = (SMALLCNN.build)(&mut StdRng::seed_from_u64(0))?;
    let tape = Tape::new();
    let mut optimizer = Sgd::new(0.01).momentum(0.9);
    for epoch in 0..epochs {
        let (begin, mut total, mut seen) = (Instant::now(), 0.0, 0);
        for (images, labels) in train.epoch(epoch) {
            tape.clear();
            let loss = model.forward(&tape.constant(images))?.cross_entropy(&labels)?;
            optimizer.step(&mut model, &loss.backward()?)?;
            total += f64::from(loss.item()?) * labels.numel() as f64;
            seen += labels.numel();
        }
        let seconds = begin.elapsed().as_secs_f64();
        let (mut right, mut images_seen) = (0, 0);
        for (images, labels) in test.epoch(0) {
            let found = model.predict(&images)?.argmax(1)?.eq(&labels)?;
            right += found.as_slice().iter().filter(|&&found| found).count();
            images_seen += labels.numel();
        }
        let accuracy = 100.0 * right as f64 / images_seen as f64;
        println!("{},{seconds:.2},{:.4},{accuracy:.2}", epoch + 1, total / seen as f64);
    }
    Ok(())
}
