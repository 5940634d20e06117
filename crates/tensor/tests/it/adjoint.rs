//! Linear operations come in pairs with ⟨A·x, y⟩ = ⟨x, Aᵀ·y⟩, which is what gradients rest on.

use retrograd_tensor::{Result, Slice, Tensor, Transposed};

use crate::oracle::{rng, whole};

type Map = Box<dyn Fn(&Tensor<f64>) -> Result<Tensor<f64>>>;

/// Name, shape of x, shape of y, A and Aᵀ.
type Pair = (&'static str, &'static [usize], &'static [usize], Map, Map);

fn pair(
    name: &'static str,
    x: &'static [usize],
    y: &'static [usize],
    map: impl Fn(&Tensor<f64>) -> Result<Tensor<f64>> + 'static,
    adjoint: impl Fn(&Tensor<f64>) -> Result<Tensor<f64>> + 'static,
) -> Pair {
    (name, x, y, Box::new(map), Box::new(adjoint))
}

fn pairs() -> Vec<Pair> {
    let ranges = [Slice::from(-4..).step_by(2), Slice::from(1..2)];
    let rows = Tensor::from([2i64, 0, 2, 2]);
    let (rows_too, index) = (rows.clone(), Tensor::from([[2i64, 1, 0, 1], [0, 0, 2, 2]]));
    let (index_too, zeros) = (index.clone(), |shape: &[usize]| Tensor::<f64>::zeros(shape));
    let matrix = whole::<f64>(&[3, 2, 5], &mut rng(70));
    let matrix_too = matrix.clone();
    let flipped = Transposed { a: true, b: false };
    vec![
        pair("broadcast_to", &[3, 1], &[2, 3, 5], |x| x.broadcast_to([2, 3, 5]), |y| y.sum_to([3, 1])),
        pair("sum", &[2, 3, 5], &[3], |x| x.sum([0, 2]), |y| y.unsqueeze(1)?.broadcast_to([2, 3, 5])),
        pair("reshape", &[2, 3], &[6], |x| x.reshape(&[-1]), |y| y.reshape(&[2, 3])),
        pair("permute", &[2, 3, 5], &[5, 2, 3], |x| x.permute(&[2, 0, 1]), |y| y.permute(&[1, 2, 0])),
        pair("slice", &[5, 3], &[2, 1], move |x| x.slice(&ranges), move |y| y.unslice([5, 3], &ranges)),
        pair(
            "pad",
            &[4, 3],
            &[3, 6],
            |x| x.pad(&[(-2, 1), (0, 3)], 0.0),
            |y| y.pad(&[(2, -1), (0, -3)], 0.0),
        ),
        pair(
            "concat",
            &[2, 3],
            &[2, 6],
            |x| Tensor::concat(&[x, x], 1),
            |y| y.slice(&[(..).into(), (..3).into()])?.add(&y.slice(&[(..).into(), (3..).into()])?),
        ),
        pair(
            "index_select",
            &[3, 2],
            &[4, 2],
            move |x| x.index_select(0, &rows),
            move |y| zeros(&[3, 2])?.index_add(0, &rows_too, y),
        ),
        pair(
            "gather",
            &[2, 3],
            &[2, 4],
            move |x| x.gather(1, &index),
            move |y| zeros(&[2, 3])?.scatter_add(1, &index_too, y),
        ),
        pair(
            "matmul",
            &[5, 4],
            &[3, 2, 4],
            move |x| matrix.matmul(x),
            move |y| matrix_too.product(y, flipped)?.sum_to([5, 4]),
        ),
    ]
}

#[test]
fn every_linear_operation_has_its_adjoint() {
    let mut rng = rng(71);
    let dot = |a: &Tensor<f64>, b: &Tensor<f64>| a.mul(b).unwrap().sum(..).unwrap().item().unwrap();
    for (name, shape_x, shape_y, map, adjoint) in pairs() {
        for _ in 0..5 {
            let (x, y) = (whole(shape_x, &mut rng), whole(shape_y, &mut rng));
            let (ax, aty) = (map(&x).unwrap(), adjoint(&y).unwrap());
            assert_eq!((&ax.shape()[..], &aty.shape()[..]), (shape_y, shape_x), "{name}: shapes");
            assert_eq!(dot(&ax, &y), dot(&x, &aty), "{name}: ⟨A·x, y⟩ and ⟨x, Aᵀ·y⟩");
        }
    }
}
