//! The contracts of the tape: what is recorded, in which order it is replayed, what is refused, what is kept.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};

use rand::RngExt;
use retrograd_autograd::{Buffer, Change, Gradients, Op, Parameter, Tape, Var, grad, grad_with, gradcheck};
use retrograd_tensor::{Float, Result, Tensor};

/// The result is an error of this text that names the line on which it was made.
#[track_caller]
fn refuses<V>(result: Result<V>, text: &str) {
    let Err(error) = result else { panic!("expected an error: {text}") };
    assert_eq!(format!("{}: {}", error.op(), error.fact()), text);
    let (here, at) = (Location::caller(), error.location().expect("a line of the program"));
    // A call that is broken into lines begins a line or two above its operation.
    let lines = here.line()..=here.line() + 2;
    assert!(at.file() == here.file() && lines.contains(&at.line()), "{text}: at {at}, called at {here}");
}

const STALE: &str = "an operand was recorded before its tape was cleared; compute it again";
const FOREIGN: &str = "two operands are on two different tapes; a computation lives on one";
const NOT_RECORDED: &str =
    "the variable is not recorded: feed the model with `tape.constant(x)`, or make `x` a `tape.leaf`";
const NOTHING_RECORDED: &str = "neither the variable nor anything that it was computed from is recorded: are all \
                                parameters frozen, or was it detached? Unfreeze a parameter, or make `x` a \
                                `tape.leaf`";

mod recording {
    use super::*;

    #[test]
    fn bare_variables_record_nothing() {
        let x = Var::from(Tensor::from([1.0f32, 2.0]));
        let y = (&x * &x).tanh().sum(..).unwrap();
        assert!(y.tape().is_none() && !y.is_recorded() && !y.is_training());
    }

    #[test]
    fn constants_record_nothing_until_they_meet_a_leaf() {
        let tape = Tape::new();
        let x = tape.constant(Tensor::from([1.0f32, 2.0]));
        let y = (&x * 2.0).exp();
        assert!(tape.is_empty() && y.tape().is_some() && !y.is_recorded());
        let z = y.mul(&tape.leaf(Tensor::scalar(3.0))).unwrap();
        assert!(z.is_recorded());
        assert_eq!(tape.operations(), ["mul"]);
    }

    #[test]
    fn bare_variables_join_the_tape_of_the_others() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::scalar(3.0f32));
        let y = Var::from(Tensor::scalar(2.0)) * &x;
        assert_eq!(y.backward().unwrap().wrt(&x), Some(&Tensor::scalar(2.0)));
    }

    #[test]
    fn operations_are_listed_and_drawn_in_the_order_they_were_recorded() {
        let tape = Tape::new();
        let x = tape.parameter(&Parameter::new(Tensor::scalar(1.0f32)));
        let y = x.exp() + tape.leaf(Tensor::scalar(2.0f32));
        assert_eq!(tape.operations(), ["exp", "add"]);
        assert_eq!(tape.len(), 4);
        let dot = tape.to_dot();
        for line in [
            "0: parameter",
            "n1 [label = \"1: exp\"]",
            "2: leaf",
            "3: add",
            "n0 -> n1 [label = \"[]\"];",
            "n1 -> n3 [label = \"[]\"];",
            "n2 -> n3 [label = \"[]\"];",
        ] {
            assert!(dot.contains(line), "{line} is missing from\n{dot}");
        }
        y.backward().unwrap();
        assert_eq!(tape.to_dot(), dot, "a replay lets go of values, not of what is drawn");
    }

    #[test]
    fn a_detached_variable_lets_no_gradient_through() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::scalar(3.0f32));
        let y = x.square().detach() * &x;
        assert_eq!(y.backward().unwrap().wrt(&x), Some(&Tensor::scalar(9.0)));
    }

    #[test]
    fn a_parameter_is_one_leaf_however_often_it_is_used() {
        let tape = Tape::new();
        let w = Parameter::new(Tensor::scalar(3.0f32));
        let x = tape.constant(Tensor::scalar(2.0));
        let y = w.on(&x) * w.on(&x) * tape.parameter(&w);
        assert_eq!(tape.len(), 3, "a leaf and two products");
        assert_eq!(y.backward().unwrap().get(&w), Some(&Tensor::scalar(27.0)));
    }

    #[test]
    fn a_parameter_meets_a_bare_variable_as_a_bare_value() {
        let w = Parameter::new(Tensor::scalar(3.0f32));
        assert!(w.on(&Var::from(Tensor::scalar(1.0))).tape().is_none());
    }
}

mod replay {
    use super::*;

    /// Gradients of a chain of `depth` layers whose leaves are interleaved with the operations.
    fn gradients(tape: &Tape<f64>, depth: usize) -> Vec<f64> {
        let mut y = tape.leaf(Tensor::from([0.5, -0.25]));
        let mut leaves = vec![y.clone()];
        for i in 0..depth {
            let w = tape.leaf(Tensor::scalar(0.1 * i as f64 - 0.3));
            y = (&y * &w).tanh() + y;
            leaves.push(w);
        }
        let gradients = y.sum(..).unwrap().backward().unwrap();
        leaves.iter().flat_map(|leaf| gradients.wrt(leaf).unwrap().to_vec()).collect()
    }

    #[test]
    fn a_cleared_tape_gives_the_same_gradients_as_a_new_one_whatever_was_on_it() {
        let tape = Tape::new();
        for depth in [3, 40, 1, 7, 40, 2, 0, 19, 3] {
            assert_eq!(gradients(&tape, depth), gradients(&Tape::new(), depth), "depth {depth}");
            tape.clear();
            assert!(tape.is_empty());
        }
    }

    #[test]
    fn backward_wants_a_recorded_scalar() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from([1.0f32, 2.0]));
        refuses(x.backward(), "backward: expected a scalar, found shape [2]");
        refuses(x.backward_with(Tensor::scalar(1.0)), "backward: the cotangent has shape [], not [2]");
        let text = format!("backward: {NOTHING_RECORDED}");
        refuses(tape.constant(Tensor::scalar(1.0f32)).backward(), &text);
        let mut weight = Parameter::new(Tensor::scalar(2.0f32));
        weight.freeze();
        let y = tape.constant(Tensor::scalar(1.0f32)) * tape.parameter(&weight);
        refuses(y.backward(), &text);
        refuses(tape.leaf(Tensor::scalar(1.0f32)).exp().detach().backward(), &text);
        refuses(Var::from(Tensor::scalar(1.0f32)).backward(), &format!("backward: {NOT_RECORDED}"));
    }

    #[test]
    fn backward_with_a_cotangent_pulls_it_back() {
        let x = Tape::new().leaf(Tensor::from([1.0f32, 2.0]));
        let gradients = x.square().backward_with(Tensor::from([1.0, 10.0])).unwrap();
        assert_eq!(gradients.wrt(&x), Some(&Tensor::from([2.0, 40.0])));
    }

    #[test]
    fn a_second_backward_names_the_operation_whose_values_are_gone_and_its_line() {
        let x = Tape::new().leaf(Tensor::scalar(3.0f32));
        let y = x.exp();
        let line = line!() - 1;
        let z = y.square();
        z.backward().unwrap();
        let at = format!("{}:{line}:19", file!());
        let gone = format!("`exp` (at {at}) was replayed before, and its values are gone; compute it again");
        refuses(y.backward(), &format!("backward: {gone}"));
        refuses(grad(&y, [&x]), &format!("grad: {gone}"));
        assert!(z.backward().unwrap_err().fact().starts_with("`square` (at "));
    }

    #[test]
    fn grad_does_not_pass_by_a_branch_whose_values_are_gone() {
        let x = Tape::new().leaf(Tensor::scalar(3.0f32));
        let y = x.exp();
        y.backward().unwrap();
        let error = grad(&(&y + &x), [&x]).unwrap_err();
        assert!(error.fact().starts_with("`exp` (at "), "{error}");
    }

    #[test]
    fn a_part_that_no_replay_passed_can_still_be_replayed() {
        let tape = Tape::new();
        let (x, w) = (tape.leaf(Tensor::scalar(3.0f32)), tape.leaf(Tensor::scalar(5.0f32)));
        let (y, z) = (x.square(), w.square());
        y.backward().unwrap();
        assert_eq!(z.backward().unwrap().wrt(&w), Some(&Tensor::scalar(10.0)));
    }

    #[test]
    fn grad_keeps_what_is_recorded() {
        let x = Tape::new().leaf(Tensor::scalar(3.0f32));
        let y = &x * &x * &x;
        for _ in 0..2 {
            assert_eq!(grad(&y, [&x]).unwrap()[0].item().unwrap(), 27.0);
        }
        assert_eq!(y.backward().unwrap().wrt(&x), Some(&Tensor::scalar(27.0)));
    }

    #[test]
    fn grad_goes_to_intermediate_variables_and_to_the_scalar_itself() {
        let x = Tape::new().leaf(Tensor::scalar(3.0f32));
        let y = x.square();
        let z = y.square();
        let [gz, gy, gx, again] = grad(&z, [&z, &y, &x, &y]).unwrap().map(|g| g.item().unwrap());
        assert_eq!([gz, gy, gx, again], [1.0, 18.0, 108.0, 18.0]);
    }

    #[test]
    fn what_grad_returns_is_on_the_tape_even_where_it_depends_on_nothing() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::scalar(3.0f32));
        let [slope] = grad(&(&x * 2.0), [&x]).unwrap();
        assert_eq!(slope.item().unwrap(), 2.0);
        assert!(slope.tape().is_some() && slope.is_training() && !slope.is_recorded());
    }

    #[test]
    fn grad_is_differentiable_in_the_cotangent() {
        let tape = Tape::new();
        let (x, g) = (tape.leaf(Tensor::scalar(3.0f32)), tape.leaf(Tensor::scalar(10.0f32)));
        let [gx] = grad_with(&x.square(), [&x], &g).unwrap();
        let gradients = gx.backward().unwrap();
        assert_eq!(
            (gx.item().unwrap(), gradients.wrt(&g), gradients.wrt(&x)),
            (60.0, Some(&6.0.into()), Some(&20.0.into()))
        );
    }

    #[test]
    fn grad_refuses_what_it_cannot_differentiate() {
        let (tape, other) = (Tape::new(), Tape::new());
        let (x, w) = (tape.leaf(Tensor::scalar(3.0f32)), tape.leaf(Tensor::scalar(1.0f32)));
        let (y, bare) = (x.square(), Var::from(Tensor::scalar(1.0f32)));
        let later = y.exp();
        let foreign = other.leaf(Tensor::scalar(1.0f32));
        refuses(grad(&y, [&x, &w]), "grad: the scalar does not depend on variable 1");
        refuses(grad(&y, [&later]), "grad: the scalar does not depend on variable 0");
        refuses(grad(&y, [&bare]), &format!("grad: {NOT_RECORDED}"));
        refuses(grad(&bare, [&x]), &format!("grad: {NOT_RECORDED}"));
        refuses(grad(&y, [&foreign]), "grad: a variable is on another tape than the scalar");
        refuses(grad_with(&y, [&x], &foreign), "grad: the cotangent is on another tape than the scalar");
        refuses(
            grad_with(&y, [&x], &Var::from(Tensor::from([1.0f32]))),
            "grad: the cotangent has shape [1], not []",
        );
        let vector = tape.leaf(Tensor::from([1.0f32, 2.0]));
        refuses(grad(&vector, [&x]), "grad: expected a scalar, found shape [2]");
    }
}

mod handles {
    use super::*;

    #[test]
    fn handles_from_before_a_clear_are_refused_everywhere() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from([1.0f32, 2.0]));
        let y = x.square().sum(..).unwrap();
        tape.clear();
        let now = tape.leaf(Tensor::from([3.0f32, 4.0]));
        refuses(x.add(&now), &format!("add: {STALE}"));
        refuses(now.add(&x), &format!("add: {STALE}"));
        refuses(x.reshape(&[2, 1]), &format!("reshape: {STALE}"));
        refuses(x.sum(..), &format!("sum_to: {STALE}"));
        refuses(Var::concat(&[&now, &x], 0), &format!("concat: {STALE}"));
        refuses(y.backward(), &format!("backward: {STALE}"));
        refuses(grad(&y, [&x]), &format!("grad: {STALE}"));
        let loss = now.sum(..).unwrap();
        refuses(grad(&loss, [&x]), &format!("grad: {STALE}"));
        refuses(grad_with(&loss, [&now], &y), &format!("grad: {STALE}"));
        assert!(loss.backward().unwrap().wrt(&x).is_none());
    }

    #[test]
    fn what_cannot_fail_hands_staleness_on_to_what_can() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::scalar(1.0f32));
        tape.clear();
        let y = -(x.exp() * 2.0).relu() + 1.0;
        assert!(tape.is_empty(), "a stale operation is not recorded");
        assert_eq!(y.item().unwrap(), 1.0 - 2.0 * 1f32.exp());
        refuses(y.add(&Var::from(Tensor::scalar(1.0))), &format!("add: {STALE}"));
        refuses(y.backward(), &format!("backward: {STALE}"));
    }

    #[test]
    fn operands_of_two_tapes_are_refused() {
        let (one, two) = (Tape::new(), Tape::new());
        let (x, y) = (one.leaf(Tensor::scalar(1.0f32)), two.leaf(Tensor::scalar(2.0f32)));
        refuses(x.mul(&y), &format!("mul: {FOREIGN}"));
        refuses(x.mul(&two.constant(Tensor::scalar(2.0f32))), &format!("mul: {FOREIGN}"));
        refuses(
            Var::concat(&[&x.unsqueeze(0).unwrap(), &y.unsqueeze(0).unwrap()], 0),
            &format!("concat: {FOREIGN}"),
        );
        assert!(x.square().backward().unwrap().wrt(&y).is_none());
    }

    #[test]
    fn operators_panic_with_the_text_of_their_method_and_the_callers_line() {
        let x = Var::from(Tensor::from([1.0f32, 2.0]));
        let y = Var::from(Tensor::from([1.0f32, 2.0, 3.0]));
        type Pair = (&'static str, fn(&Var, &Var) -> Var, fn(&Var, &Var) -> Result<Var>);
        let pairs: [Pair; 4] = [
            ("add", |a, b| a + b, Var::add),
            ("sub", |a, b| a.clone() - b, Var::sub),
            ("mul", |a, b| a * b.clone(), Var::mul),
            ("div", |a, b| a.clone() / b.clone(), Var::div),
        ];
        for (name, operator, method) in pairs {
            let panic = catch_unwind(AssertUnwindSafe(|| operator(&x, &y))).unwrap_err();
            let text = panic.downcast::<String>().unwrap();
            let error = method(&x, &y).unwrap_err();
            assert_eq!(error.op(), name);
            let (expected, line) = text.split_once(", at ").unwrap();
            assert_eq!(expected, format!("{}: {}", error.op(), error.fact()));
            assert!(line.starts_with(file!()), "{line}");
        }
    }
}

mod memory {
    use super::*;

    const VECTOR: usize = 100 * size_of::<f32>();

    /// Bytes that the tape keeps for `f` of a leaf of 100 elements.
    fn kept(f: impl Fn(&Tape, &Var) -> Var) -> usize {
        let tape = Tape::new();
        f(&tape, &tape.leaf(Tensor::ones([100]).unwrap()));
        tape.saved_bytes()
    }

    #[test]
    fn only_what_a_pullback_reads_is_kept() {
        type Row = (&'static str, usize, fn(&Tape, &Var) -> Var);
        let table: [Row; 12] = [
            ("exp keeps its output", 1, |_, x| x.exp()),
            ("square keeps its input", 1, |_, x| x.square()),
            ("scale keeps nothing", 0, |_, x| x * 3.0),
            ("a sum of two keeps nothing", 0, |_, x| x + x),
            ("moving keeps nothing", 0, |_, x| x.reshape(&[10, 10]).unwrap().transpose(0, 1).unwrap()),
            ("the sum keeps nothing", 0, |_, x| x.sum(..).unwrap()),
            ("a product with a constant keeps the constant alone", 1, |t, x| {
                x * t.constant(Tensor::ones([100]).unwrap())
            }),
            ("a product of two variables keeps both", 2, |t, x| x * t.leaf(Tensor::ones([100]).unwrap())),
            ("a product with a scalar keeps a vector only for the scalar", 0, |_, x| x * 2.0),
            ("relu keeps its output", 1, |_, x| x.relu()),
            ("three relus keep their outputs", 3, |_, x| x.relu().relu().relu()),
            ("constants keep nothing", 0, |t, x| t.constant(x.value().clone()).exp().square()),
        ];
        for (what, vectors, f) in table {
            assert_eq!(kept(f), vectors * VECTOR, "{what}");
        }
    }

    #[test]
    fn backward_lets_go_of_everything_it_passed() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::<f32>::ones([100]).unwrap());
        let y = x.exp().square().sum(..).unwrap();
        assert_eq!(tape.saved_bytes(), 2 * VECTOR);
        grad(&y, [&x]).unwrap();
        assert!(tape.saved_bytes() >= 2 * VECTOR, "grad keeps what it passed");
        y.backward().unwrap();
        assert!(y.backward().is_err());
        tape.clear();
        assert_eq!(tape.saved_bytes(), 0);

        let x = tape.leaf(Tensor::<f32>::ones([100]).unwrap());
        x.exp().square().sum(..).unwrap().backward().unwrap();
        assert_eq!(tape.saved_bytes(), 0);
    }
}

mod modes {
    use super::*;

    #[test]
    fn a_tape_trains_unless_it_is_set_to_evaluate() {
        let x = Tensor::scalar(1.0f32);
        let (training, evaluating) = (Tape::new(), Tape::new().eval());
        assert!(training.constant(x.clone()).is_training() && !evaluating.constant(x.clone()).is_training());
        assert!(!Var::from(x.clone()).is_training());
        let leaf = evaluating.leaf(x);
        assert!(leaf.exp().backward().unwrap().wrt(&leaf).is_some(), "it records all the same");
    }

    #[test]
    fn the_same_seed_draws_the_same_numbers_and_a_clear_goes_on_drawing() {
        let draw = |tape: &Tape| -> u64 { tape.random(|rng| rng.random()) };
        let (one, two, other) = (Tape::seeded(7), Tape::seeded(7), Tape::seeded(8));
        let first = draw(&one);
        assert_eq!(first, draw(&two));
        assert_ne!(first, draw(&other));
        one.clear();
        assert_eq!(draw(&one), draw(&two));
        assert_ne!(draw(&one), first);
    }

    #[test]
    fn a_tape_that_is_seeded_anew_draws_what_a_new_one_does_and_keeps_what_it_recorded() {
        let draw = |tape: &Tape| -> u64 { tape.random(|rng| rng.random()) };
        let tape = Tape::seeded(7);
        let y = tape.leaf(Tensor::scalar(3.0f32)).square();
        draw(&tape);
        tape.reseed(8);
        assert_eq!(draw(&tape), draw(&Tape::seeded(8)));
        assert_eq!(tape.len(), 2);
        assert!(y.backward().is_ok());
    }
}

mod results {
    use super::*;

    #[test]
    fn gradients_are_data_that_threads_exchange_and_models_are_shared() {
        fn send<V: Send + 'static>() {}
        fn sync<V: Sync>() {}
        send::<Gradients>();
        send::<Parameter>();
        sync::<Parameter>();
        sync::<Buffer>();
        sync::<Tensor>();
    }

    #[test]
    fn a_clone_of_a_parameter_is_another_parameter() {
        let w = Parameter::new(Tensor::scalar(3.0f32));
        let copy = w.clone();
        assert_eq!(copy.value(), w.value());
        assert_ne!(copy.id(), w.id());
        let tape = Tape::new();
        let gradients = (tape.parameter(&w) * tape.parameter(&copy).square()).backward().unwrap();
        assert_eq!((gradients.get(&w), gradients.get(&copy)), (Some(&9.0.into()), Some(&18.0.into())));
    }

    #[test]
    fn a_frozen_parameter_gets_no_gradient_until_it_thaws() {
        let tape = Tape::new();
        let (mut w, v) = (Parameter::new(Tensor::scalar(3.0f32)), Parameter::new(Tensor::scalar(2.0f32)));
        w.freeze();
        let gradients = (tape.parameter(&w) * tape.parameter(&v)).backward().unwrap();
        assert_eq!((gradients.get(&w), gradients.get(&v)), (None, Some(&3.0.into())));
        assert!(w.clone().is_frozen());
        w.unfreeze();
        tape.clear();
        assert_eq!(tape.parameter(&w).square().backward().unwrap().get(&w), Some(&6.0.into()));
    }

    #[test]
    fn reported_updates_travel_with_the_gradients_once() {
        let tape = Tape::new();
        let mut mean = Buffer::new(Tensor::scalar(1.0f64));
        let x = tape.leaf(Tensor::scalar(3.0f64));
        tape.report(&mean, Change::Average { weight: 0.5, value: Tensor::scalar(3.0) });
        tape.report(&mean, Change::Average { weight: 0.1, value: Tensor::scalar(0.0) });
        let mut gradients = x.square().backward().unwrap();
        gradients += x.exp().backward().unwrap();
        assert_eq!(gradients.updates().len(), 2, "two losses of one pass do not report twice");
        gradients.update(&mut mean).unwrap();
        assert_eq!(mean.value(), &Tensor::scalar(1.8), "(1 + 3)/2, then nine tenths of it");
    }

    #[test]
    fn an_update_that_cannot_be_made_is_refused() {
        let tape = Tape::new();
        let mut mean = Buffer::new(Tensor::from([1.0f32, 2.0]));
        tape.report(&mean, Change::Average { weight: 0.5, value: Tensor::scalar(3.0) });
        let gradients = tape.leaf(Tensor::scalar(1.0)).exp().backward().unwrap();
        refuses(gradients.update(&mut mean), "update: shapes differ: [2] and []");
    }

    #[test]
    fn a_cumulative_average_counts_the_values_before_it_also_those_of_other_workers() {
        let (mut mean, mut count) = (Buffer::new(Tensor::scalar(6.0f64)), Buffer::<f64>::count());
        count.value_mut().make_mut()[0] = 2.0;
        let worker = |values: &[f64]| {
            let tape = Tape::new();
            for &value in values {
                let before = count.value().item().unwrap();
                tape.report(&mean, Change::CumulativeAverage { count: before, value: Tensor::scalar(value) });
                tape.report(&count, Change::Increment);
            }
            tape.leaf(Tensor::scalar(1.0)).exp().backward().unwrap()
        };
        let mut merged = worker(&[3.0, 9.0]);
        merged += worker(&[1.0]);
        merged.update(&mut mean).unwrap();
        merged.update(&mut count).unwrap();
        assert_eq!(mean.value().item().unwrap(), (6.0 + 6.0 + 3.0 + 9.0 + 1.0) / 5.0);
        assert_eq!(count.value(), &Tensor::scalar(5.0));
        assert!(count.is_count() && count.clone().is_count() && !mean.is_count());
    }

    #[test]
    fn the_gradients_of_workers_add_up_and_their_updates_follow_in_order() {
        let (shared, only_second) =
            (Parameter::new(Tensor::scalar(3.0f32)), Parameter::new(Tensor::scalar(5.0f32)));
        let mean = Buffer::new(Tensor::scalar(0.0f32));
        let worker = |scale: f64, both: bool| {
            let tape = Tape::new();
            let y = tape.parameter(&shared) * scale;
            let y = if both { y * tape.parameter(&only_second) } else { y };
            tape.report(&mean, Change::Average { weight: scale, value: Tensor::scalar(1.0) });
            y.backward().unwrap()
        };
        let mut sum = worker(2.0, false);
        sum += worker(10.0, true);
        assert_eq!((sum.get(&shared), sum.get(&only_second)), (Some(&52.0.into()), Some(&30.0.into())));
        let average = |weight| Change::Average { weight, value: Tensor::scalar(1.0) };
        let changes: Vec<_> = sum.updates().iter().map(|update| update.change.clone()).collect();
        assert_eq!(changes, [average(2.0), average(10.0)]);
        assert!(sum.iter().map(|(id, _)| id).eq([shared.id(), only_second.id()]), "in the order of creation");
    }

    #[test]
    fn the_gradients_of_two_losses_of_one_pass_add_up_at_its_leaves_too() {
        let tape = Tape::new();
        let (x, w) = (tape.leaf(Tensor::scalar(3.0f32)), tape.leaf(Tensor::scalar(1.0f32)));
        let mut sum = x.square().backward().unwrap();
        sum += (&x * &w).backward().unwrap();
        sum += Tape::new().leaf(Tensor::scalar(1.0f32)).square().backward().unwrap();
        assert_eq!((sum.wrt(&x), sum.wrt(&w)), (Some(&7.0.into()), Some(&3.0.into())));
    }
}

mod semantics {
    use super::*;

    /// The gradient of Σ f(x) at some numbers.
    fn slopes<const N: usize>(f: impl Fn(&Var<f64>) -> Var<f64>, at: [f64; N]) -> Vec<f64> {
        let x = Tape::new().leaf(Tensor::from(at));
        f(&x).sum(..).unwrap().backward().unwrap().wrt(&x).unwrap().to_vec()
    }

    #[test]
    fn relu_passes_no_gradient_at_zero_and_lets_nan_through() {
        assert_eq!(slopes(Var::relu, [-1.0, 0.0, -0.0, 2.0, f64::NAN]), [0.0, 0.0, 0.0, 1.0, 1.0]);
        assert!(Var::from(Tensor::scalar(f64::NAN)).relu().item().unwrap().is_nan());
    }

    #[test]
    fn leaky_relu_passes_the_slope_of_the_negative_side_at_zero() {
        assert_eq!(slopes(|x| x.leaky_relu(0.1), [-1.0, 0.0, 2.0]), [0.1, 0.1, 1.0]);
    }

    #[test]
    fn the_absolute_value_has_no_slope_at_zero() {
        assert_eq!(slopes(Var::abs, [-2.0, 0.0, 2.0]), [-1.0, 0.0, 1.0]);
    }

    #[test]
    fn powers_have_finite_slopes_where_their_limits_exist() {
        assert_eq!(slopes(|x| x.powf(0.0), [0.0, 2.0]), [0.0, 0.0]);
        assert_eq!(slopes(|x| x.pow(&Var::from(Tensor::scalar(0.0))).unwrap(), [0.0, 2.0]), [0.0, 0.0]);
        assert_eq!(slopes(|b| Var::from(Tensor::scalar(0.0)).pow(b).unwrap(), [0.0, 2.0]), [0.0, 0.0]);
        assert_eq!(slopes(|x| x.powf(2.0), [0.0]), [0.0]);
    }

    #[test]
    fn equal_operands_share_the_gradient_of_the_larger_and_nan_passes_it_to_both() {
        type Row = (fn(&Var<f64>, &Var<f64>) -> Result<Var<f64>>, [f64; 3], [f64; 3]);
        let table: [Row; 2] = [
            (Var::maximum, [0.0, 0.5, 1.0], [1.0, 0.5, 1.0]),
            (Var::minimum, [1.0, 0.5, 1.0], [0.0, 0.5, 1.0]),
        ];
        for (f, of_a, of_b) in table {
            let tape = Tape::new();
            let (a, b) =
                (tape.leaf(Tensor::from([1.0, 2.0, f64::NAN])), tape.leaf(Tensor::from([3.0, 2.0, 1.0])));
            let gradients = f(&a, &b).unwrap().sum(..).unwrap().backward().unwrap();
            assert_eq!(
                (gradients.wrt(&a).unwrap().to_vec(), gradients.wrt(&b).unwrap().to_vec()),
                (of_a.to_vec(), of_b.to_vec())
            );
        }
    }

    #[test]
    fn equal_extremes_share_the_gradient_evenly() {
        assert_eq!(
            slopes(|x| x.amax(..).unwrap(), [3.0, 1.0, 3.0, 3.0, 2.0]),
            [1.0 / 3.0, 0.0, 1.0 / 3.0, 1.0 / 3.0, 0.0]
        );
        assert_eq!(slopes(|x| x.amin(..).unwrap(), [3.0, 1.0, 1.0]), [0.0, 0.5, 0.5]);
    }

    #[test]
    fn where_passes_the_gradient_to_the_chosen_side_even_if_the_other_is_nan() {
        let tape = Tape::new();
        let (a, b) = (tape.leaf(Tensor::from([1.0, f64::NAN])), tape.leaf(Tensor::from([f64::NAN, 2.0])));
        let y = Var::where_(&Tensor::from([true, false]), &a, &b).unwrap().square().sum(..).unwrap();
        let gradients = y.backward().unwrap();
        assert_eq!(
            (gradients.wrt(&a), gradients.wrt(&b)),
            (Some(&[2.0, 0.0].into()), Some(&[0.0, 4.0].into()))
        );
    }
}

mod checks {
    use super::*;

    /// y = x², with half of its gradient forgotten.
    struct Wrong;

    impl<T: Float> Op<T, 1> for Wrong {
        fn name(&self) -> &'static str {
            "wrong"
        }
        fn forward(&self, [x]: [&Tensor<T>; 1]) -> Result<Tensor<T>> {
            x.mul(x)
        }
        fn vjp(
            &self,
            [x]: [&Var<T>; 1],
            _: &Var<T>,
            g: &Var<T>,
            _: [bool; 1],
        ) -> Result<[Option<Var<T>>; 1]> {
            Ok([Some(g * x)])
        }
    }

    #[test]
    fn a_wrong_gradient_is_reported_with_its_input_its_place_and_both_values() {
        let (a, x) = (Tensor::scalar(1.0), Tensor::from([[0.0], [3.0]]));
        refuses(
            gradcheck(|[a, x]| Ok(Wrong.apply([x])?.sum(..)? * a), [a, x]),
            "gradcheck: input 1 of shape [2, 1] at [1, 0]: analytic 2.138439031, numeric 4.276878062, \
             a difference of 2.1e0",
        );
    }

    #[test]
    fn a_gradient_that_was_cut_is_wrong_and_one_that_is_zero_is_right() {
        assert!(gradcheck(|[x]| Ok(x.detach()), [Tensor::scalar(1.0)]).is_err());
        gradcheck(|[_, y]| Ok(y.square()), [Tensor::scalar(1.0), Tensor::scalar(2.0)]).unwrap();
    }

    #[test]
    fn a_function_that_draws_random_numbers_can_be_checked() {
        let noisy = |[x]: [&Var<f64>; 1]| {
            let noise = x.tape().unwrap().random(|rng| rng.random::<f64>());
            Ok(x.square() * noise)
        };
        gradcheck(noisy, [Tensor::from([1.0, -2.0])]).unwrap();
    }
}

mod pullbacks {
    use super::*;

    /// A sum over everything whose pullback is wrong in a way of choice.
    struct Wrong(fn(&Var<f64>) -> Option<Var<f64>>);

    impl Op<f64, 1> for Wrong {
        fn name(&self) -> &'static str {
            "wrong"
        }

        fn forward(&self, [x]: [&Tensor<f64>; 1]) -> Result<Tensor<f64>> {
            x.sum(..)
        }

        fn vjp(
            &self,
            _: [&Var<f64>; 1],
            _: &Var<f64>,
            g: &Var<f64>,
            _: [bool; 1],
        ) -> Result<[Option<Var<f64>>; 1]> {
            Ok([(self.0)(g)])
        }
    }

    #[test]
    fn a_cotangent_that_is_missing_or_misshaped_is_refused() {
        let x = Tape::new().leaf(Tensor::from([[1.0, 2.0]]));
        let line = line!() + 2;
        let fact = |pullback| {
            let y = Wrong(pullback).apply([&x]).unwrap();
            y.backward().unwrap_err().fact().to_owned()
        };
        let at = format!("`wrong` (at {}:{line}:37): the cotangent of input 0", file!());
        assert_eq!(fact(|g| Some(g.clone())), format!("{at} has shape [], not [1, 2]"));
        assert_eq!(fact(|_| None), format!("{at} is missing"));
    }

    #[test]
    fn what_an_operation_holds_is_accounted_for_and_let_go_of() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from([[1.0, 2.0, 3.0]]));
        let y = x.index_select(1, &Tensor::from([0i64, 2])).unwrap();
        assert_eq!(tape.saved_bytes(), 16);
        y.sum(..).unwrap().backward().unwrap();
        assert_eq!(tape.saved_bytes(), 0);
        assert_eq!(tape.operations(), ["index_select", "sum_to"]);
    }

    #[test]
    fn a_parameters_gradient_is_found_by_its_variable_too() {
        let (tape, p) = (Tape::new(), Parameter::new(Tensor::from([1.0, 2.0])));
        let x = tape.parameter(&p);
        let gradients = x.square().sum(..).unwrap().backward().unwrap();
        assert_eq!(gradients.wrt(&x), Some(&Tensor::from([2.0, 4.0])));
    }
}

/// Single elements are pulled back in numbers, longer tensors by the pullbacks in variables.
#[test]
fn single_elements_have_to_the_bit_the_gradients_of_longer_tensors() {
    type Function = fn(&[Var<f32>; 2]) -> Result<Var<f32>>;
    let functions: [(&str, Function); 16] = [
        ("add", |[a, b]| a.add(b)),
        ("sub", |[a, b]| a.sub(b)),
        ("mul", |[a, b]| a.mul(b)),
        ("div", |[a, b]| a.div(b)),
        ("pow", |[a, b]| a.pow(b)),
        ("maximum", |[a, b]| a.maximum(b)),
        ("minimum", |[a, b]| a.minimum(b)),
        ("neg", |[a, _]| Ok(a.neg())),
        ("exp", |[a, _]| Ok(a.exp())),
        ("ln", |[a, _]| Ok(a.ln())),
        ("tanh", |[a, _]| Ok(a.tanh())),
        ("softsign", |[a, _]| Ok(a.softsign())),
        ("powf", |[a, _]| Ok(a.powf(-1.5))),
        ("a variable used three times", |[a, b]| a.mul(a)?.div(&a.add(b)?)),
        ("a constant operand", |[a, b]| b.mul(&Var::from(a.value()))?.mul(a)?.div(&Var::from(b.value()))),
        ("a chain", |[a, b]| (0..5).try_fold(a.clone(), |y, _| y.mul(b)?.tanh().sub(a))),
    ];
    for (name, function) in functions {
        let bits = |count: usize| {
            let tape = Tape::new();
            let x = [0.37f32, 1.9].map(|x| tape.leaf(Tensor::full([count, 1], x).unwrap()));
            let y = function(&x).unwrap();
            let cotangent = Tensor::full([count, 1], 0.7).unwrap();
            let gradients = y.backward_with(cotangent.clone()).unwrap();
            assert_eq!(tape.saved_bytes(), 0, "{name}: the values are let go of");
            assert!(y.backward_with(cotangent).is_err(), "{name}: and what was replayed is refused");
            x.map(|x| gradients.wrt(&x).map(|g| g.as_slice()[0].to_bits()))
        };
        assert_eq!(bits(1), bits(2), "{name}");
    }
}
