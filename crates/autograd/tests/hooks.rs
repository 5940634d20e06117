//! Looking into a replay: gradients of intermediate variables, hooks, and replays that keep their values.

use std::cell::RefCell;
use std::rc::Rc;

use retrograd_autograd::{Tape, Var, grad, gradcheck, gradgradcheck};
use retrograd_tensor::{Error, Tensor};

fn scalar(value: f64) -> Tensor<f64> {
    Tensor::scalar(value)
}

#[test]
fn a_retained_variable_has_its_gradient_and_others_have_none() {
    let tape = Tape::new();
    let x = tape.leaf(scalar(3.0));
    let (y, other) = (x.square(), x.exp());
    y.retain().unwrap();
    y.retain().unwrap();
    let z = &y * &y + &other;
    let gradients = z.backward().unwrap();
    assert_eq!(gradients.wrt(&y), Some(&scalar(18.0)), "both uses are added up");
    assert_eq!(gradients.wrt(&other), None);
    tape.clear();
    assert!(y.retain().unwrap_err().fact().contains("cleared"));
    assert!(tape.constant(scalar(1.0)).retain().is_err());
    assert!(Var::from(scalar(1.0)).retain().is_err());
}

#[test]
fn a_retained_result_itself_has_the_cotangent_it_was_given() {
    let x = Tape::new().leaf(Tensor::from([1.0, 2.0]));
    let y = x.exp();
    y.retain().unwrap();
    let gradients = y.backward_with(Tensor::from([3.0, 4.0])).unwrap();
    assert_eq!(gradients.wrt(&y), Some(&Tensor::from([3.0, 4.0])));
}

#[test]
fn a_hook_sees_the_gradient_and_replaces_it() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let note = seen.clone();
    let x = Tape::new().leaf(Tensor::from([1.0, -2.0]));
    let watched = x.hook(move |g| {
        note.borrow_mut().push(g.value().clone());
        Ok(g * 10.0)
    });
    let watched = watched.unwrap();
    assert_eq!(watched.value(), x.value());
    let gradients = watched.square().sum(..).unwrap().backward().unwrap();
    assert_eq!(gradients.wrt(&x), Some(&Tensor::from([20.0, -40.0])));
    assert_eq!(*seen.borrow(), [Tensor::from([2.0, -4.0])]);
}

#[test]
fn a_hook_on_what_is_not_recorded_is_never_called() {
    let x = Var::from(scalar(2.0)).hook(|_| Err(Error::new("hook", "called"))).unwrap();
    assert_eq!(x.item().unwrap(), 2.0);
    let tape = Tape::new();
    let x = tape.constant(scalar(2.0)).hook(|_| Err(Error::new("hook", "called"))).unwrap();
    let w = tape.leaf(scalar(3.0));
    assert_eq!((x * &w).backward().unwrap().wrt(&w), Some(&scalar(2.0)));
}

#[test]
fn a_hook_fails_with_its_own_error_and_where_it_changes_the_shape() {
    let x = Tape::new().leaf(scalar(2.0));
    let failing = x.hook(|_| Err(Error::new("mine", "no"))).unwrap();
    assert_eq!(failing.backward().unwrap_err().op(), "mine");
    let longer = x.hook(|g| g.unsqueeze(0)).unwrap();
    assert!(
        longer.backward().unwrap_err().fact().ends_with("the cotangent of input 0 has shape [1], not []")
    );
}

#[test]
fn a_gradient_that_a_hook_changed_is_differentiated_through_the_hook() {
    let x = Tape::new().leaf(scalar(3.0));
    let y = x.hook(|g| Ok(g.square())).unwrap().square();
    let [g] = grad(&y, [&x]).unwrap();
    let [gg] = grad(&g, [&x]).unwrap();
    assert_eq!(
        (g.item().unwrap(), gg.item().unwrap()),
        (36.0, 576.0),
        "(2x)², then (8x)²: the hook is on its way again"
    );
}

#[test]
fn a_hook_that_changes_nothing_changes_no_derivative() {
    let f = |[x]: [&Var<f64>; 1]| Ok(x.hook(|g| Ok(g.clone()))?.tanh());
    let x = Tensor::from([0.3, -0.7]);
    gradcheck(f, [x.clone()]).unwrap();
    gradgradcheck(f, [x]).unwrap();
}

#[test]
fn a_cleared_tape_drops_the_hooks_of_the_pass_before_the_last() {
    let (tape, owned) = (Tape::new(), Rc::new(()));
    let weak = Rc::downgrade(&owned);
    let x = tape.leaf(scalar(1.0));
    x.hook(move |g| {
        let _ = &owned;
        Ok(g.clone())
    })
    .unwrap();
    tape.clear();
    tape.clear();
    assert!(weak.upgrade().is_none());
}

#[test]
fn backward_retain_can_be_followed_by_another_replay_of_the_same_operations() {
    let tape = Tape::new();
    let x = tape.leaf(Tensor::from([1.0, 2.0]));
    let y = (x.exp() * &x).sum(..).unwrap();
    let first = y.backward_retain().unwrap();
    assert!(tape.saved_bytes() > 0);
    let recorded = tape.len();
    let second = y.backward_retain().unwrap();
    assert_eq!(tape.len(), recorded, "nothing new is recorded");
    assert_eq!(first.wrt(&x), second.wrt(&x));
    assert_eq!(y.backward().unwrap().wrt(&x), first.wrt(&x));
    assert_eq!(tape.saved_bytes(), 0);
    assert!(y.backward_retain().is_err());
}

#[test]
fn the_losses_of_a_shared_trunk_add_up() {
    let x = Tape::new().leaf(scalar(0.5));
    let trunk = x.sin();
    let mut gradients = trunk.square().backward_retain().unwrap();
    gradients += trunk.exp().backward().unwrap();
    let z = Tape::new().leaf(scalar(0.5));
    let together = (z.sin().square() + z.sin().exp()).backward().unwrap();
    let (a, b) = (gradients.wrt(&x).unwrap().item().unwrap(), together.wrt(&z).unwrap().item().unwrap());
    assert!((a - b).abs() < 1e-15, "{a} and {b}");
}

#[test]
fn grad_names_the_detach_that_cut_its_way() {
    let x = Tape::new().leaf(scalar(2.0));
    let (cut, line) = (x.exp().detach(), line!());
    let error = grad(&(cut * x.tape().unwrap().leaf(scalar(1.0))), [&x]).unwrap_err();
    let begin =
        "the scalar does not depend on variable 0: it is cut off by `detach` of the result of `exp` at ";
    assert!(
        error.fact().starts_with(begin) && error.fact().contains(&format!("hooks.rs:{line}:")),
        "{error}"
    );
    let x = Tape::new().leaf(scalar(2.0));
    x.exp();
    let error = grad(&x.tape().unwrap().leaf(scalar(1.0)), [&x]).unwrap_err();
    assert!(error.fact().contains("it is last used by `exp` at "), "{error}");
}
