//! Schedules, by the definitions in their rustdoc where PyTorch's own sequences do not reach, and what is
//! refused.

use retrograd_nn::{
    Adagrad, Adam, ConstantLR, CosineAnnealingLR, CosineAnnealingWarmRestarts, ExponentialLR, LambdaLR,
    LinearLR, MultiStepLR, OneCycleLR, Optimizer, PlateauState, ReduceLROnPlateau, Schedule, Sgd, StepLR,
};

use crate::refuses;

fn sgd() -> Sgd<f64> {
    Sgd::new(0.1)
}

/// The rates of the first epochs of a base of 1.
fn rates<const N: usize>(schedule: &impl Schedule) -> [f64; N] {
    std::array::from_fn(|epoch| schedule.rate(epoch, 1.0).unwrap())
}

#[track_caller]
fn assert_near<const N: usize>(found: [f64; N], expected: [f64; N]) {
    let near = found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12);
    assert!(near, "{found:?}, expected {expected:?}");
}

#[test]
fn warm_restarts_get_longer_and_return_to_the_base_at_once() {
    let equal = CosineAnnealingWarmRestarts::new(2).eta_min(0.5);
    assert_near(rates(&equal), [1.0, 0.75, 1.0, 0.75, 1.0]);
    let longer = CosineAnnealingWarmRestarts::new(1).t_mult(2);
    let half = 0.5f64.sqrt() / 2.0;
    assert_near(rates(&longer), [1.0, 1.0, 0.5, 1.0, 0.5 + half, 0.5, 0.5 - half, 1.0]);
    assert!(longer.rate(usize::MAX, 1.0).unwrap() <= 1.0);
}

#[test]
fn schedules_multiply_and_follow_one_another() {
    let chained = ConstantLR::new(2).factor(0.5).and(ExponentialLR::new(0.5));
    assert_near(rates(&chained), [0.5, 0.25, 0.25, 0.125]);
    let sequence =
        LinearLR::new(2).start_factor(0.5).then(2, StepLR::new(1)).then(4, LambdaLR::new(|e| e as f64));
    assert_near(rates(&sequence), [0.5, 0.75, 1.0, 0.1, 0.0, 1.0]);
}

#[test]
fn schedules_without_epochs_stay_as_in_pytorch() {
    assert_near(rates(&LinearLR::new(0).start_factor(0.5)), [0.5, 0.5]);
    assert_near(rates(&ConstantLR::new(0).factor(0.5)), [0.5, 0.5]);
    assert_near(rates(&MultiStepLR::new([])), [1.0, 1.0]);
    assert_near(rates(&MultiStepLR::new([2, 1]).gamma(0.5)), [1.0, 0.5, 0.25]);
}

#[test]
fn a_scheduler_keeps_the_base_of_each_group_and_goes_on_at_any_epoch() {
    let mut optimizer = sgd().group("bias", |group| group.learning_rate(0.4));
    let mut scheduler = StepLR::new(2).gamma(0.5).on(&mut optimizer).unwrap();
    for expected in [[0.1, 0.4], [0.05, 0.2], [0.05, 0.2], [0.025, 0.1]] {
        scheduler.step(&mut optimizer).unwrap();
        assert_eq!(optimizer.learning_rates(), expected);
    }
    let mut resumed = sgd().group("bias", |group| group.learning_rate(0.4));
    let mut scheduler = StepLR::new(2).gamma(0.5).on(&mut resumed).unwrap();
    scheduler.set_epoch(&mut resumed, 4).unwrap();
    assert_eq!((scheduler.epoch(), resumed.learning_rates()), (4, optimizer.learning_rates()));
    let text = "sgd: expected 1 learning rates, found 2";
    refuses(scheduler.step(&mut sgd()), text);
}

#[test]
fn settings_out_of_range_are_refused_where_the_schedule_begins() {
    #[track_caller]
    fn refused(schedule: impl Schedule, text: &str) {
        let mut optimizer = sgd();
        refuses(schedule.on(&mut optimizer), text);
        assert_eq!(optimizer.learning_rate(), 0.1, "unchanged");
    }
    refused(StepLR::new(0), "step_lr: expected a step size of at least 1, found 0");
    refused(StepLR::new(1).gamma(f64::NAN), "step_lr: expected a gamma that is finite, found NaN");
    refused(CosineAnnealingLR::new(0), "cosine_annealing_lr: expected a T_max of at least 1, found 0");
    let restarts = "cosine_annealing_warm_restarts: expected a T_mult of at least 1, found 0";
    refused(CosineAnnealingWarmRestarts::new(1).t_mult(0), restarts);
    refused(LinearLR::new(5).start_factor(0.0), "linear_lr: expected a start factor above 0, found 0");
    refused(LinearLR::new(5).start_factor(1.5), "linear_lr: expected a start factor from 0 to 1, found 1.5");
    refused(LinearLR::new(5).end_factor(-0.1), "linear_lr: expected an end factor from 0 to 1, found -0.1");
    refused(ConstantLR::new(5).factor(1.5), "constant_lr: expected a factor from 0 to 1, found 1.5");
    let cycle = |total| OneCycleLR::new(0.1, total);
    refused(cycle(0), "one_cycle_lr: expected a number of steps of at least 1, found 0");
    let share = "one_cycle_lr: expected a share of the rise from 0 to 1, found";
    refused(cycle(10).pct_start(1.5), &format!("{share} 1.5"));
    refused(cycle(10).pct_start(-0.5), &format!("{share} -0.5"));
    refused(cycle(10).div_factor(0.0), "one_cycle_lr: expected a division factor above 0, found 0");
}

#[test]
fn one_cycle_ends_and_wants_a_momentum() {
    let mut optimizer = sgd();
    let mut scheduler = OneCycleLR::new(0.1, 10).pct_start(0.0).on(&mut optimizer).unwrap();
    for _ in 0..10 {
        scheduler.step(&mut optimizer).unwrap();
    }
    let rate = optimizer.learning_rate();
    refuses(scheduler.step(&mut optimizer), "one_cycle_lr: expected at most 10 steps, found step 11");
    assert_eq!((scheduler.epoch(), optimizer.learning_rate()), (10, rate), "unchanged");
    // A rise of no length is over at once.
    assert_eq!(OneCycleLR::new(0.1, 10).pct_start(0.1).rate(0, 1.0).unwrap(), 0.1);
    let text = "scheduler: the schedule changes the momentum, and the optimizer has none";
    refuses(OneCycleLR::new(0.1, 10).on(&mut Adagrad::<f64>::new(0.1)), text);
    OneCycleLR::new(0.1, 10).cycle_momentum(false).on(&mut Adagrad::<f64>::new(0.1)).unwrap();
    let mut adam = Adam::<f64>::new(0.1);
    OneCycleLR::new(0.1, 10).max_momentum(0.97).on(&mut adam).unwrap();
    assert_eq!(adam.momentum(), Some(0.97));
}

#[test]
fn a_plateau_goes_on_where_it_was_saved() {
    let plateau = || ReduceLROnPlateau::new().patience(1).factor(0.5).cooldown(1);
    let (mut whole, mut optimizer) = (plateau(), sgd());
    let metrics = [1.0, 0.9, 0.9, 0.95, f64::NAN, 0.9, 0.9, 0.8, 0.8, 0.8];
    for (i, &metric) in metrics.iter().enumerate() {
        let mut resumed = plateau().resume(whole.state());
        let mut other = sgd();
        other.set_learning_rates(&optimizer.learning_rates()).unwrap();
        whole.step(&mut optimizer, metric).unwrap();
        resumed.step(&mut other, metric).unwrap();
        assert_eq!(
            (resumed.state(), other.learning_rate()),
            (whole.state(), optimizer.learning_rate()),
            "{i}"
        );
    }
    assert_eq!(whole.state(), PlateauState { best: Some(0.8), bad_epochs: 0, cooldown: 1 });
    assert_eq!(optimizer.learning_rate(), 0.1 / 8.0);
}

#[test]
fn a_plateau_refuses_a_factor_that_reduces_nothing() {
    let mut optimizer = sgd();
    let text = "reduce_lr_on_plateau: expected a factor below 1, found 1";
    refuses(ReduceLROnPlateau::new().factor(1.0).step(&mut optimizer, 1.0), text);
    ReduceLROnPlateau::new().factor(-0.5).patience(0).step(&mut optimizer, f64::NAN).unwrap();
    assert_eq!(optimizer.learning_rate(), 0.0, "PyTorch takes a negative one: the rate falls to the lowest");
}
