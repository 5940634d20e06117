//! The bilinear layer.

use retrograd_nn::{Bilinear, Float, Layer, Parameter, Result, Tape, Tensor, Var, module};

use crate::gradients::check;
use crate::{assert_close, random, refuses, rng};

#[test]
fn each_output_is_a_form_of_both_inputs_plus_its_bias() {
    let (a, b) = (random([4, 2, 3], 1), random([4], 2));
    let layer = Bilinear { weight: Parameter::new(a.clone()), bias: Some(Parameter::new(b.clone())) };
    let (x1, x2) = (random([5, 2], 3), random([5, 3], 4));
    let at = |x: &Tensor<f64>, i: usize| x.as_slice()[i];
    let form = |n: usize, k: usize| -> f64 {
        let terms = (0..6).map(|t| at(&x1, 2 * n + t / 3) * at(&a, 6 * k + t) * at(&x2, 3 * n + t % 3));
        at(&b, k) + terms.sum::<f64>()
    };
    let expected = Tensor::from_vec((0..20).map(|i| form(i / 4, i % 4)).collect(), [5, 4]).unwrap();
    let y = layer.forward(&Var::from(&x1), &Var::from(&x2)).unwrap();
    assert_close(y.value(), &expected, "bilinear");
    let [x1, x2] = [&x1, &x2].map(|x| Var::from(x.unsqueeze(0).unwrap()));
    let y = layer.forward(&x1, &x2).unwrap().into_value();
    assert_close(&y, &expected.unsqueeze(0).unwrap(), "all axes but the last are batches");
}

/// A bilinear layer whose inputs are the first two columns of one and the others.
struct OfColumns<T: Float> {
    bilinear: Bilinear<T>,
}
module!(OfColumns<T> { bilinear });

impl<T: Float> Layer<T> for OfColumns<T> {
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        let columns = [(..2).into(), (2..).into()];
        let [x1, x2] = columns.map(|columns| x.slice(&[(..).into(), columns]));
        self.bilinear.forward(&x1?, &x2?)
    }
}

#[test]
fn it_has_its_gradients() {
    for (what, bias) in [("with bias", true), ("without bias", false)] {
        let bilinear = Bilinear::new(2, 3, 2, bias, &mut rng(5)).unwrap();
        check(what, Box::new(OfColumns { bilinear }), &[2, 5]);
    }
}

#[test]
fn its_parameters_go_to_the_tape_of_either_input() {
    let layer = Bilinear::<f64>::new(2, 3, 1, true, &mut rng(6)).unwrap();
    let (x1, x2) = (random([1, 2], 7), random([1, 3], 8));
    let gradients_with = |on: usize| {
        let tape = Tape::new();
        let mut inputs = [Var::from(&x1), Var::from(&x2)];
        inputs[on] = tape.constant(inputs[on].value().clone());
        let y = layer.forward(&inputs[0], &inputs[1]).unwrap();
        let gradients = y.sum(..).unwrap().backward().unwrap();
        [Some(&layer.weight), layer.bias.as_ref()].map(|p| gradients.get(p.unwrap()).unwrap().clone())
    };
    assert_eq!(gradients_with(0), gradients_with(1));
}

#[test]
fn what_does_not_fit_is_refused_at_the_line_of_the_call() {
    let layer = Bilinear::<f64>::new(2, 3, 4, false, &mut rng(6)).unwrap();
    let [x1, x2] = [[5, 2], [6, 3]].map(|shape| Var::from(Tensor::zeros(shape).unwrap()));
    let text = "bilinear: expected x₁ […, in₁], x₂ […, in₂], weight [out, in₁, in₂], bias [out], \
                found [5, 2], [6, 3], weight [4, 2, 3]";
    refuses(layer.forward(&x1, &x2), text);
    let rng = &mut rng(7);
    refuses(Bilinear::<f64>::new(0, 3, 4, true, rng), "bilinear: expected at least one first feature");
}
