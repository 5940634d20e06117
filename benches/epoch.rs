//! A real epoch: smallcnn on Fashion-MNIST, data loading included.
//!
//! ```text
//! cargo bench --bench epoch -- DIR          # DIR with train-images-idx3-ubyte, … or .gz
//! cargo bench --bench epoch -- DIR 5        # five epochs
//! ```
//!
//! Batches of 64, SGD with learning rate 0.01 and momentum 0.9. Prints `epoch,seconds,train_loss,test_accuracy_percent`;
//! the seconds are those of training. `cargo bench` without a directory does nothing here.

// Of the networks, this needs one.
#[allow(dead_code)]
mod networks;

use std::time::Instant;

use networks::SMALLCNN;
use retrograd::prelude::*;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let Some(directory) = arguments.next() else {
        eprintln!("usage: cargo bench --bench epoch -- DIR [EPOCHS], DIR with Fashion-MNIST as IDX files");
        return Ok(());
    };
    let epochs = arguments.next().map_or(Ok(1), |epochs| epochs.parse());
    let Ok(epochs) = epochs else {
        eprintln!("the number of epochs is no number");
        std::process::exit(2);
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
