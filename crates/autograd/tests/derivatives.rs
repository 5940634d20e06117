//! Derivatives as tensors: against definitions by hand, against each other, and against central differences.

use rand::SeedableRng;
use rand::rngs::StdRng;
use retrograd_autograd::{
    Parameter, Tape, Var, grad, gradcheck, hessian, hvp, jacobian, jvp, per_sample_gradients, vjp,
};
use retrograd_tensor::{Result, Sliding, Tensor};

fn normal<const R: usize>(shape: [usize; R], seed: u64) -> Tensor<f64> {
    Tensor::randn(shape, &mut StdRng::seed_from_u64(seed)).unwrap()
}

/// A small network: convolution, tanh, maximum pooling, softmax.
fn network(x: &Var<f64>) -> Result<Var<f64>> {
    let kernel = Var::from(normal([2, 1, 2, 2], 1));
    let y = x.conv(&kernel, None, 1, Sliding::<2>::default())?.tanh();
    y.max_pool2d(2)?.flatten(1)?.softmax(1)
}

fn image() -> Tensor<f64> {
    normal([1, 1, 5, 5], 2)
}

#[track_caller]
fn close(a: &Tensor<f64>, b: &Tensor<f64>) {
    assert_eq!(a.shape(), b.shape());
    for (a, b) in a.as_slice().iter().zip(b.as_slice()) {
        assert!((a - b).abs() <= 1e-12 * (1.0 + b.abs()), "{a} and {b}");
    }
}

#[test]
fn a_jacobian_has_the_axes_of_the_result_then_of_the_input_and_gives_both_products() {
    let (x, j) = (image(), jacobian(network, &image()).unwrap());
    assert_eq!(j.shape(), &[1, 8, 1, 1, 5, 5]);
    let (u, v) = (normal([1, 8], 3), normal([1, 1, 5, 5], 4));
    let matrix = j.reshape(&[8, 25]).unwrap();
    let jv = matrix.matmul(&v.reshape(&[25]).unwrap()).unwrap();
    close(&jvp(network, &x, &v).unwrap(), &jv.reshape(&[1, 8]).unwrap());
    let ju = u.matmul(&matrix).unwrap();
    close(&vjp(network, &x, &u).unwrap(), &ju.reshape(&[1, 1, 5, 5]).unwrap());
}

#[test]
fn a_jvp_is_the_slope_in_a_direction() {
    let (x, v) = (image(), normal([1, 1, 5, 5], 4));
    let along = |t: f64| network(&Var::from(x.zip(&v, |x, v| x + t * v).unwrap())).unwrap().into_value();
    let numeric = along(1e-6).zip(&along(-1e-6), |a, b| (a - b) / 2e-6).unwrap();
    let exact = jvp(network, &x, &v).unwrap();
    assert!(exact.as_slice().iter().zip(numeric.as_slice()).all(|(a, b)| (a - b).abs() < 1e-8));
}

#[test]
fn a_hessian_is_symmetric_and_its_products_are_those_of_hvp() {
    let f = |x: &Var<f64>| network(x)?.square().sum(..);
    let (x, v) = (image(), normal([1, 1, 5, 5], 4));
    let h = hessian(f, &x).unwrap();
    assert_eq!(h.shape(), &[1, 1, 5, 5, 1, 1, 5, 5]);
    let matrix = h.reshape(&[25, 25]).unwrap();
    close(&matrix, &matrix.transpose(0, 1).unwrap());
    let product = matrix.matmul(&v.reshape(&[25]).unwrap()).unwrap();
    close(&hvp(f, &x, &v).unwrap(), &product.reshape(&[1, 1, 5, 5]).unwrap());
}

#[test]
fn a_function_that_is_linear_or_ignores_its_input_has_derivatives_of_zero() {
    let x = Tensor::from([1.0, 2.0]);
    let zeros = Tensor::from([0.0, 0.0]);
    assert_eq!(hessian(|x| (x * 3.0).sum(..), &x).unwrap(), Tensor::zeros([2, 2]).unwrap());
    assert_eq!(hvp(|x| (x * 3.0).sum(..), &x, &x).unwrap(), zeros);
    let constant = |_: &Var<f64>| Ok(Var::from(Tensor::from([1.0, 2.0, 3.0])));
    assert_eq!(jacobian(constant, &x).unwrap(), Tensor::zeros([3, 2]).unwrap());
    assert_eq!(jvp(constant, &x, &x).unwrap(), Tensor::zeros([3]).unwrap());
    assert_eq!(vjp(constant, &x, &Tensor::ones([3]).unwrap()).unwrap(), zeros);
    let scalar = |_: &Var<f64>| Ok(Var::from(Tensor::scalar(1.0)));
    assert_eq!(hvp(scalar, &x, &x).unwrap(), zeros);
    let identity = |x: &Var<f64>| Ok(x.clone());
    assert_eq!(jacobian(identity, &x).unwrap(), Tensor::from([[1.0, 0.0], [0.0, 1.0]]));
    assert_eq!(jvp(identity, &x, &x).unwrap(), x);
    let empty = Tensor::<f64>::zeros([0]).unwrap();
    assert_eq!(jacobian(|x| Ok(x.exp()), &empty).unwrap().shape(), &[0, 0]);
}

#[test]
fn what_does_not_fit_is_refused_on_the_callers_line() {
    let x = Tensor::from([1.0, 2.0]);
    let wrong = Tensor::from([1.0, 2.0, 3.0]);
    let facts = [
        (jvp(|x| Ok(x.exp()), &x, &wrong), "jvp: the vector has shape [3], not [2]"),
        (vjp(|x| Ok(x.exp()), &x, &wrong), "vjp: the vector has shape [3], not [2]"),
        (hvp(|x| x.exp().sum(..), &x, &wrong), "hvp: the vector has shape [3], not [2]"),
        (hvp(|x| Ok(x.exp()), &x, &x), "hvp: expected a function with a scalar result, found [2]"),
        (hessian(|x| Ok(x.exp()), &x), "hessian: expected a function with a scalar result, found [2]"),
        (
            jacobian(|_| Ok(Tape::new().leaf(Tensor::scalar(1.0))), &x),
            "grad: a variable is on another tape than the scalar",
        ),
    ];
    for (result, text) in facts {
        let error = result.unwrap_err();
        assert_eq!(format!("{}: {}", error.op(), error.fact()), text);
        assert_eq!(error.location().unwrap().file(), file!());
    }
    let scalar = per_sample_gradients(&Tensor::scalar(1.0f32), |x, _| Ok(x.clone())).unwrap_err();
    assert_eq!(scalar.fact(), "expected a batch [n, …], found a scalar");
}

#[test]
fn a_gradient_of_a_product_with_a_hessian_is_a_third_derivative() {
    let v = normal([3], 4);
    let product = |[x]: [&Var<f64>; 1]| {
        let tape = x.tape().unwrap();
        let x = if x.is_recorded() { x.clone() } else { tape.leaf(x.value().clone()) };
        let [g] = grad(&(x.tanh() * x.exp()).sum(..)?, [&x])?;
        let [hv] = grad(&g.mul(&Var::from(&v))?.sum(..)?, [&x])?;
        Ok(hv)
    };
    gradcheck(product, [normal([3], 5)]).unwrap();
}

#[test]
fn gradients_of_examples_are_those_of_single_runs_to_the_last_bit() {
    let kernel = Parameter::new(normal([3, 1, 3, 3], 1).cast::<f32>());
    let weight = Parameter::new(normal([4, 12], 2).cast::<f32>());
    let batch = normal([6, 1, 4, 4], 3).cast::<f32>();
    let loss = |x: &Var, i: usize| {
        let y = x.conv(&kernel.on(x), None, 1, Sliding::<2>::default())?.tanh().flatten(1)?;
        y.linear(&weight.on(x), None)?.cross_entropy(&Tensor::from_slice(&[i as i64 % 4], [1])?)
    };
    let samples = per_sample_gradients(&batch, loss).unwrap();
    assert_eq!(samples.len(), 6);
    for (i, sample) in samples.iter().enumerate() {
        let one = batch.slice(&[(i as isize..i as isize + 1).into()]).unwrap();
        let single = loss(&Tape::new().constant(one), i).unwrap().backward().unwrap();
        assert_eq!(sample.get(&kernel), single.get(&kernel));
        assert_eq!(sample.get(&weight), single.get(&weight));
    }
    assert!(per_sample_gradients(&Tensor::<f32>::zeros([0, 3]).unwrap(), loss).unwrap().is_empty());
}

#[test]
fn gradients_of_examples_add_up_to_that_of_the_batch() {
    let w = Parameter::new(normal([2, 3], 1));
    let batch = normal([5, 3], 2);
    let loss = |x: &Var<f64>| x.linear(&w.on(x), None)?.tanh().square().sum(..);
    let mut samples = per_sample_gradients(&batch, |x, _| loss(x)).unwrap().into_iter();
    let mut sum = samples.next().unwrap();
    samples.for_each(|sample| sum += sample);
    let whole = loss(&Tape::new().constant(batch)).unwrap().backward().unwrap();
    close(sum.get(&w).unwrap(), whole.get(&w).unwrap());
}
