//! Steps in shards: the bits that any number of threads gives, and the numbers that the undivided step gives.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use retrograd::autograd::Change;
use retrograd::prelude::*;
use retrograd::tensor::with_threads;

/// LeNet with all that draws random numbers or reports statistics.
fn lenet() -> Result<Sequential> {
    let rng = &mut StdRng::seed_from_u64(1);
    Ok(sequential![
        Conv2d::new(1, 6, 5).padding(2).build(rng)?,
        BatchNorm2d::new(6)?,
        Tanh,
        AvgPool2d::new(2),
        Conv2d::new(6, 16, 5).build(rng)?,
        BatchNorm2d::new(16)?.momentum(None),
        Tanh,
        AvgPool2d::new(2),
        Flatten::default(),
        Linear::new(400, 120).build(rng)?,
        Tanh,
        Dropout::new(0.3)?,
        Linear::new(120, 10).build(rng)?,
    ])
}

fn batch(examples: usize, shape: [usize; 3], seed: u64) -> (Tensor, Tensor<i64>) {
    let rng = &mut StdRng::seed_from_u64(seed);
    let labels = Tensor::from_fn([examples], || i64::from(rng.next_u32() % 10)).unwrap();
    (Tensor::randn([&[examples][..], &shape].concat(), rng).unwrap(), labels)
}

/// The bits of the losses of a few steps and of all that has become of the model.
fn train(mut shards: Shards) -> Vec<u32> {
    let mut model = lenet().unwrap();
    let mut optimizer = Sgd::new(0.05).momentum(0.9);
    let mut bits = Vec::new();
    for step in 0..4 {
        let (loss, gradients) = shards
            .gradients(&batch(21, [1, 28, 28], step), |tape, (images, labels)| {
                model.forward(&tape.constant(images))?.cross_entropy(&labels)
            })
            .unwrap();
        optimizer.step(&mut model, &gradients).unwrap();
        bits.push(loss.to_bits());
    }
    bits.extend(model.state_dict().iter().flat_map(|(_, tensor)| tensor.to_vec()).map(f32::to_bits));
    bits
}

#[test]
fn a_training_in_shards_has_the_same_bits_at_every_number_of_threads() {
    for count in [1, 2, 3, 8] {
        let with =
            |threads, seed| with_threads(threads, || train(Shards::seeded(count, seed).unwrap())).unwrap();
        let one = with(1, 7);
        for threads in [2, 3, 5] {
            assert!(with(threads, 7) == one, "{count} shards: {threads} threads give other bits than one");
        }
        assert!(with(2, 8) != one, "{count} shards: another seed gives other bits");
    }
}

/// Nothing in it depends on the rest of the batch.
fn network() -> Result<Sequential<f64>> {
    let rng = &mut StdRng::seed_from_u64(3);
    let layers = Sequential::new().then(Conv2d::new(2, 4, 3).build(rng)?).then(PReLU::new(4, 0.25)?);
    Ok(layers.then(MaxPool2d::new(2)).then(Flatten::default()).then(Linear::new(36, 10).build(rng)?))
}

#[test]
fn a_step_in_shards_is_up_to_rounding_the_undivided_one() {
    let model = network().unwrap();
    // As many examples as shards, uneven shards, more shards than examples.
    for (examples, count) in [(12, 4), (13, 4), (7, 7), (5, 8), (1, 3), (48, 1)] {
        let (images, labels) = batch(examples, [2, 8, 8], 5);
        let images: Tensor<f64> = images.cast();
        let undivided = model.forward(&Tape::new().constant(images.clone())).unwrap();
        let undivided = undivided.cross_entropy(&labels).unwrap();
        let whole = undivided.backward().unwrap();
        let (loss, gradients) = Shards::new(count)
            .unwrap()
            .gradients(&(images, labels), |tape, (images, labels)| {
                model.forward(&tape.constant(images))?.cross_entropy(&labels)
            })
            .unwrap();
        let error = (loss - undivided.item().unwrap()).abs();
        assert!(error < 1e-12, "{examples} in {count}: {error:e}");
        for (path, parameter) in model.parameters() {
            let (ours, whole) = (gradients.get(parameter).unwrap(), whole.get(parameter).unwrap());
            let error = ours.sub(whole).unwrap().abs().amax(..).unwrap().item().unwrap();
            let size = whole.abs().amax(..).unwrap().item().unwrap();
            assert!(
                size > 1e-4 && error < 1e-12 * size,
                "{path}, {examples} in {count}: {error:e} of {size:e}"
            );
        }
    }
}

#[test]
fn shards_are_runs_of_nearly_equal_length_and_statistics_are_reported_in_their_order() {
    let count = Buffer::<f64>::count();
    let examples = Tensor::from_vec((0..11).map(f64::from).collect(), [11]).unwrap();
    let w = Parameter::new(Tensor::scalar(1.0));
    let (sum, gradients) = Shards::new(4)
        .unwrap()
        .gradients(&examples, |tape, part| {
            let change = Change::Average { weight: 0.5, value: part.clone() };
            tape.report(&count, change);
            tape.constant(part).mul(&tape.parameter(&w))?.mean(..)
        })
        .unwrap();
    let parts: Vec<Vec<f64>> =
        gradients.updates().iter().map(|update| update.change.value().unwrap().to_vec()).collect();
    assert_eq!(parts, [vec![0.0, 1.0, 2.0], vec![3.0, 4.0, 5.0], vec![6.0, 7.0, 8.0], vec![9.0, 10.0]]);
    assert!((sum - 5.0).abs() < 1e-14, "the mean of 0 to 10");
}

#[test]
fn shards_and_steps_draw_different_numbers() {
    let w = Parameter::new(Tensor::scalar(1.0f32));
    let mut shards = Shards::seeded(3, 1).unwrap();
    let mut drawn = Vec::new();
    for _ in 0..2 {
        let numbers = std::sync::Mutex::new(Vec::new());
        let draw = |tape: &Tape, x: Tensor| {
            numbers.lock().unwrap().push(tape.random(|rng| rng.next_u64()));
            tape.constant(x).mul(&tape.parameter(&w))?.mean(..)
        };
        shards.gradients(&Tensor::ones([3]).unwrap(), draw).unwrap();
        drawn.extend(numbers.into_inner().unwrap());
    }
    drawn.sort();
    drawn.dedup();
    assert_eq!(drawn.len(), 6);
}

#[test]
fn no_examples_are_one_empty_shard() {
    let w = Parameter::new(Tensor::scalar(2.0f32));
    let calls = AtomicUsize::new(0);
    let (loss, gradients) = Shards::new(4)
        .unwrap()
        .gradients(&Tensor::zeros([0, 3]).unwrap(), |tape, x: Tensor| {
            calls.fetch_add(1, Ordering::Relaxed);
            tape.constant(x).mul(&tape.parameter(&w))?.sum(..)
        })
        .unwrap();
    assert_eq!((loss, calls.into_inner()), (0.0, 1));
    assert_eq!(gradients.get(&w), Some(&Tensor::scalar(0.0)));
}

#[test]
fn the_error_is_that_of_the_first_shard_that_fails() {
    let w = Parameter::new(Tensor::scalar(2.0f32));
    let x = Tensor::from([0.0f32, 1.0, 2.0, 3.0, 4.0]);
    for threads in 1..4 {
        let failing = |from: f32| {
            let loss = |tape: &Tape, x: Tensor| match x.item()? {
                x if x >= from => Err(Error::new("loss", format!("example {x}"))),
                _ => tape.constant(x).mul(&tape.parameter(&w)),
            };
            let loss = |tape: &Tape, x: Tensor| loss(tape, x)?.mean(..);
            with_threads(threads, || Shards::new(5).unwrap().gradients(&x, loss)).unwrap()
        };
        for from in 0..5 {
            let error = failing(from as f32).unwrap_err();
            assert_eq!(error.fact(), format!("example {from}"));
        }
        assert_eq!(failing(5.0).unwrap().0, 4.0);
    }
}

#[test]
fn a_panic_in_a_shard_goes_on_and_the_next_step_is_sound() {
    let w = Parameter::new(Tensor::scalar(2.0f32));
    let x = Tensor::from([0.0f32, 1.0, 2.0, 3.0]);
    let mut shards = Shards::new(4).unwrap();
    let mut step = |bad: f32| {
        shards.gradients(&x, |tape, x| {
            assert!(x.item()? != bad, "example {bad}");
            tape.constant(x).mul(&tape.parameter(&w))?.mean(..)
        })
    };
    let panic = with_threads(2, || catch_unwind(AssertUnwindSafe(|| step(2.0)))).unwrap().unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "example 2");
    assert_eq!(step(9.0).unwrap().0, 3.0);
}

#[test]
fn a_closure_may_count_on_the_side() {
    let model = lenet().unwrap();
    let right = AtomicUsize::new(0);
    let data = batch(24, [1, 28, 28], 1);
    let loss = |tape: &Tape, (images, labels): (Tensor, Tensor<i64>)| {
        let logits = model.forward(&tape.constant(images))?;
        let hits = logits.value().argmax(1)?.eq(&labels)?;
        right.fetch_add(hits.as_slice().iter().filter(|&&hit| hit).count(), Ordering::Relaxed);
        logits.cross_entropy(&labels)
    };
    Shards::new(3).unwrap().gradients(&data, loss).unwrap();
    assert!(right.into_inner() < 24);
}
