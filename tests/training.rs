//! Whole trainings, as a user runs them: they learn, they repeat bit by bit, and threads share a model.

use std::ops::Range;
use std::process::Command;
use std::thread;

use retrograd::prelude::*;

/// A convolution, pooling and a linear layer for the digits; dropout so that the tape's random numbers count.
fn small_network(seed: u64) -> Result<Sequential> {
    let rng = &mut StdRng::seed_from_u64(seed);
    Ok(sequential![
        Conv2d::new(1, 16, 3).padding(1).build(rng)?,
        ReLU,
        MaxPool2d::new(2),
        Flatten::default(),
        Dropout::new(0.1)?,
        Linear::new(16 * 4 * 4, 10).build(rng)?,
    ])
}

/// The network after some epochs on the digits, and how many of the 360 test images it knows.
fn train(seed: u64, epochs: u64) -> Result<(Sequential, usize)> {
    let mut model = small_network(seed)?;
    train_on(&mut model, &mut Adam::new(1e-2), seed, 0..epochs)?;
    let (train, test) = digits();
    let mut right = 0;
    for (images, labels) in DataLoader::new(test.normalize(&train.statistics())?, 360)?.epoch(0) {
        let found = model.predict(&images)?.argmax(1)?;
        right += found.eq(&labels)?.as_slice().iter().filter(|&&right| right).count();
    }
    Ok((model, right))
}

/// These epochs of a training, each with a seed of its own.
fn train_on(model: &mut Sequential, optimizer: &mut Adam, seed: u64, epochs: Range<u64>) -> Result<()> {
    let (train, _) = digits();
    let statistics = train.statistics();
    // Batches of this size are work for several threads.
    let loader = DataLoader::new(train.normalize(&statistics)?, 128)?.shuffle(seed);
    let tape = Tape::new();
    for epoch in epochs {
        tape.reseed(seed + epoch);
        for (images, labels) in loader.epoch(epoch) {
            tape.clear();
            let logits = model.forward(&tape.constant(images))?;
            let gradients = logits.cross_entropy(&labels)?.backward()?;
            optimizer.step(model, &gradients)?;
        }
    }
    Ok(())
}

/// The bits of all weights.
fn bits(model: &impl Module) -> Vec<u32> {
    model.state_dict().iter().flat_map(|(_, tensor)| tensor.to_vec()).map(f32::to_bits).collect()
}

#[test]
fn a_small_network_learns_the_digits() {
    let (_, right) = train(42, 4).unwrap();
    assert!(right > 324, "{right} of 360, expected more than 90 %");
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_others() {
    let weights = |seed| bits(&train(seed, 1).unwrap().0);
    let first = weights(1);
    assert_eq!(weights(1), first);
    assert_ne!(weights(2), first);
}

#[test]
fn a_training_with_dropout_that_is_resumed_has_the_bits_of_one_that_was_never_interrupted() {
    let (whole, _) = train(1, 3).unwrap();
    let (mut first, mut optimizer) = (small_network(1).unwrap(), Adam::new(1e-2));
    train_on(&mut first, &mut optimizer, 1, 0..1).unwrap();
    let (mut second, mut resumed) = (small_network(2).unwrap(), Adam::new(1e-2));
    second.load_state_dict(&first.state_dict()).unwrap();
    resumed.load_state_dict(&second, &optimizer.state_dict(&first)).unwrap();
    train_on(&mut second, &mut resumed, 1, 1..3).unwrap();
    assert_eq!(bits(&second), bits(&whole));
}

/// Set for the processes in which the test below runs itself.
const AGAIN: &str = "RETROGRAD_TEST_PRINTS_WEIGHTS";

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    if std::env::var_os(AGAIN).is_some() {
        println!("\nweights {:x?}", bits(&train(1, 1).unwrap().0));
        return;
    }
    let with_threads = |threads: &str| {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "the_bits_do_not_depend_on_the_number_of_threads", "--nocapture"]);
        let output = again.env(AGAIN, "1").env("RAYON_NUM_THREADS", threads).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let weights = text.lines().find(|line| line.starts_with("weights [")).map(str::to_owned);
        weights.unwrap_or_else(|| panic!("with {threads} threads: {text}"))
    };
    let one = with_threads("1");
    for threads in ["2", "3"] {
        assert!(with_threads(threads) == one, "{threads} threads give other bits than one");
    }
}

#[test]
fn models_and_layers_can_be_shared_by_threads() {
    fn shareable<M: Send + Sync>() {}
    shareable::<Sequential>();
    shareable::<Linear>();
    shareable::<Conv3d<f64>>();
    shareable::<PReLU>();
    shareable::<Box<dyn Layer + Send + Sync>>();
}

/// Generic in its numbers, so that sums can be compared in `f64`.
struct Net<T: Float> {
    conv: Conv2d<T>,
    slope: PReLU<T>,
    fc: Linear<T>,
}
module!(Net<T> { conv, slope, fc });

impl<T: Float> Layer<T> for Net<T> {
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        let x = self.slope.forward(&self.conv.forward(x)?)?.max_pool2d(2)?;
        self.fc.forward(&x.flatten(1)?)
    }
}

impl Net<f64> {
    fn new() -> Result<Self> {
        let rng = &mut StdRng::seed_from_u64(3);
        Ok(Self {
            conv: Conv2d::new(1, 4, 3).build(rng)?,
            slope: PReLU::new(4, 0.25)?,
            fc: Linear::new(4 * 3 * 3, 10).build(rng)?,
        })
    }
}

#[test]
fn the_gradients_of_two_threads_over_one_model_add_up_to_those_of_one_tape() {
    let model = &Net::new().unwrap();
    let (train, _) = digits();
    let (images, labels) = DataLoader::new(train, 48).unwrap().epoch(0).next().unwrap();
    let images: Tensor<f64> = images.cast();
    // The sum of the losses over 48, so that parts add up.
    let gradients = |from: isize, to: isize| -> Result<Gradients<f64>> {
        let tape = Tape::new();
        let logits = model.forward(&tape.constant(images.slice(&[(from..to).into()])?))?;
        let loss = logits.cross_entropy(&labels.slice(&[(from..to).into()])?)?;
        (loss * ((to - from) as f64 / 48.0)).backward()
    };
    let whole = gradients(0, 48).unwrap();
    let merged = thread::scope(|scope| {
        let [first, second] = [(0, 16), (16, 48)].map(|(from, to)| scope.spawn(move || gradients(from, to)));
        let mut merged = first.join().unwrap().unwrap();
        merged += second.join().unwrap().unwrap();
        merged
    });
    for (path, parameter) in model.parameters() {
        let (merged, whole) = (merged.get(parameter).unwrap(), whole.get(parameter).unwrap());
        let error = merged.sub(whole).unwrap().abs().amax(..).unwrap().item().unwrap();
        let size = whole.abs().amax(..).unwrap().item().unwrap();
        assert!(size > 1e-4 && error < 1e-12 * size, "{path}: {error:e} of {size:e}");
    }
}
