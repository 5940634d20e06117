//! The table of vectors.

use retrograd_nn::{Embedding, Float, Layer, Result, Tape, Tensor, Var, module};

use crate::gradients::check;
use crate::{refuses, rng};

fn table(padding: Option<usize>) -> Embedding<f64> {
    let table = Embedding::new(5, 2);
    padding.map_or(table, |padding| table.padding_idx(padding)).build(&mut rng(1)).unwrap()
}

#[test]
fn an_index_of_any_shape_gives_rows_in_its_place() {
    let table = table(None);
    let row = |i: usize| &table.weight.value().as_slice()[2 * i..][..2];
    let index = Tensor::from([[3i64, 0, 3], [4, 1, 2]]);
    let y = table.forward(&index, None).unwrap();
    assert_eq!(*y.shape(), [2, 3, 2]);
    assert_eq!(y.value().as_slice(), [3, 0, 3, 4, 1, 2].map(row).concat());
    assert!(y.tape().is_none(), "without a tape nothing is recorded");
    let one = table.forward(&Tensor::scalar(4), None).unwrap();
    assert_eq!((one.shape()[..].to_vec(), one.value().as_slice()), (vec![2], row(4)));
    let none = table.forward(&Tensor::from_vec(vec![], [0, 3]).unwrap(), None).unwrap();
    assert_eq!(*none.shape(), [0, 3, 2]);
}

/// The rows of a table, each multiplied by a row of the input.
struct Scaled<T: Float> {
    table: Embedding<T>,
}
module!(Scaled<T> { table });

impl<T: Float> Layer<T> for Scaled<T> {
    fn forward(&self, x: &Var<T>) -> Result<Var<T>> {
        self.table.forward(&Tensor::from([3i64, 0, 3]), x.tape())?.mul(x)
    }
}

#[test]
fn it_has_its_gradients() {
    check("a row that is read twice", Box::new(Scaled { table: table(None) }), &[3, 2]);
}

#[test]
fn the_padding_row_begins_as_zeros_and_gets_no_gradient() {
    let table = table(Some(1));
    assert_eq!(table.weight.value().as_slice()[2..4], [0.0; 2]);
    let tape = Tape::new();
    let y = table.forward(&Tensor::from([1i64, 3, 3, 1, 0]), &tape).unwrap();
    let gradients = y.sum(..).unwrap().backward().unwrap();
    let expected = Tensor::from([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0], [2.0, 2.0], [0.0, 0.0]]);
    assert_eq!(gradients.get(&table.weight), Some(&expected), "as often as a row was read");
}

#[test]
fn what_is_no_row_is_refused_at_the_line_of_the_call() {
    let table = table(None);
    for outside in [5, -1, i64::MAX, i64::MIN] {
        let text = format!("embedding: index {outside} is no row of the 5");
        refuses(table.forward(&Tensor::from([0, outside]), None), &text);
    }
    let padded = Embedding::<f64>::new(5, 2).padding_idx(5);
    refuses(padded.build(&mut rng(1)), "embedding: padding 5 is no row of the 5");
}
