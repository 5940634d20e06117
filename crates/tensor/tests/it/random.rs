//! Random tensors.

use std::convert::Infallible;

use rand::{Rng, TryRng};
use retrograd_tensor::{Float, Tensor};

use crate::oracle::rng;

#[test]
fn elements_are_drawn_in_row_major_order() {
    let mut count = 0;
    let x = Tensor::from_fn([2, 3], || {
        count += 1;
        count
    });
    assert_eq!(x.unwrap(), Tensor::from([[1i64, 2, 3], [4, 5, 6]]));
}

#[test]
fn the_same_seed_gives_the_same_numbers() {
    let draw = |seed| Tensor::<f32>::randn([100], &mut rng(seed)).unwrap();
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

/// Mean and deviation.
fn moments(x: Tensor<f64>) -> (f64, f64) {
    (x.mean(..).unwrap().item().unwrap(), x.var(.., 1.0).unwrap().item().unwrap().sqrt())
}

#[test]
fn fills_have_the_moments_of_their_distribution() {
    const COUNT: [usize; 1] = [200_000];
    let rng = &mut rng(60);
    for (what, x, mean, deviation) in [
        ("randn", Tensor::randn(COUNT, rng), 0.0, 1.0),
        ("rand", Tensor::rand(COUNT, -1.0, 5.0, rng), 2.0, 3f64.sqrt()),
        ("bernoulli", Tensor::bernoulli(COUNT, 0.3, rng), 0.3, 0.21f64.sqrt()),
    ] {
        let (actual_mean, actual_deviation) = moments(x.unwrap());
        assert!((actual_mean - mean).abs() < 0.02, "{what}: mean {actual_mean}, not {mean}");
        assert!(
            (actual_deviation - deviation).abs() < 0.02,
            "{what}: deviation {actual_deviation}, not {deviation}"
        );
    }
}

#[test]
fn certain_and_impossible_events_are_just_that() {
    let rng = &mut rng(61);
    assert_eq!(Tensor::<f32>::bernoulli([1000], 0.0, rng).unwrap(), Tensor::zeros([1000]).unwrap());
    assert_eq!(Tensor::<f32>::bernoulli([1000], 1.0, rng).unwrap(), Tensor::ones([1000]).unwrap());
}

/// A generator that always draws the largest number.
struct Largest;

impl TryRng for Largest {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::MAX)
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::MAX)
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(u8::MAX);
        Ok(())
    }
}

#[test]
fn uniform_numbers_stay_below_their_upper_bound_even_when_rounded_to_single_precision() {
    fn draw<T: Float>(low: f64, high: f64, rng: &mut impl Rng) -> f64 {
        Tensor::<T>::rand([1], low, high, rng).unwrap().item().unwrap().to_f64()
    }
    assert!((0.0..1.0).contains(&draw::<f64>(0.0, 1.0, &mut Largest)));
    assert!((0.0..1.0).contains(&draw::<f32>(0.0, 1.0, &mut Largest)));
    assert_eq!(draw::<f32>(2.0, 2.0, &mut Largest), 2.0, "an empty interval is its bound");
}
