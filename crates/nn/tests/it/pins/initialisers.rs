use retrograd_nn::init::{Dirac, Init, Orthogonal, fans};

use super::*;

#[test]
fn the_fans_of_a_grouped_weight_know_nothing_of_groups_and_those_of_a_transposed_one_swap() {
    assert_eq!(fans(&Shape::from([6, 1, 3, 3])).unwrap(), (9.0, 54.0));
    assert_eq!(fans(&Shape::from([4, 6, 3, 2])).unwrap(), (36.0, 24.0));
}

#[test]
fn rows_or_columns_of_an_orthogonal_weight_are_orthonormal() {
    for (shape, rows) in [(Shape::from([3, 2, 2]), true), (Shape::from([5, 3]), false)] {
        let w: Tensor<f64> = Orthogonal::default().sample(&shape, &mut rng(1)).unwrap().flatten(1).unwrap();
        let t = w.transpose(0, 1).unwrap();
        let product = if rows { w.matmul(&t) } else { t.matmul(&w) }.unwrap();
        for i in 0..3 {
            for j in 0..3 {
                let expected = f64::from(u8::from(i == j));
                assert!((product.get(&[i, j]).unwrap() - expected).abs() < 1e-14);
            }
        }
    }
}

#[test]
fn a_convolution_that_begins_as_dirac_keeps_its_channels() {
    let weight: Tensor<f64> = Dirac { groups: 2 }.sample(&Shape::from([4, 2, 3]), &mut rng(1)).unwrap();
    let x = Tensor::randn([1, 4, 5], &mut rng(2)).unwrap();
    let mut layer = Conv1d::new(4, 4, 3).groups(2).padding(1).bias(false).build(&mut rng(3)).unwrap();
    layer.weight = Parameter::new(weight);
    assert_eq!(layer.predict(&x).unwrap(), x);
}
