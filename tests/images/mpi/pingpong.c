/* Two ranks, half round trip in microseconds for each size: "bytes microseconds", the best of five rounds.
 *     pingpong [BYTES...]             default 8 65536 1048576
 *     pingpong -n COUNT BYTES...      one round of COUNT messages each way
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double half_trip_us(char *buffer, int bytes, int rank, int count)
{
	double start;

	MPI_Barrier(MPI_COMM_WORLD);
	start = MPI_Wtime();
	for (int i = 0; i < count; i++) {
		if (rank == 0) {
			MPI_Send(buffer, bytes, MPI_CHAR, 1, 0, MPI_COMM_WORLD);
			MPI_Recv(buffer, bytes, MPI_CHAR, 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		} else {
			MPI_Recv(buffer, bytes, MPI_CHAR, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
			MPI_Send(buffer, bytes, MPI_CHAR, 0, 0, MPI_COMM_WORLD);
		}
	}
	return (MPI_Wtime() - start) * 1e6 / count / 2;
}

static void measure(int bytes, int rank, int given)
{
	char *buffer = malloc(bytes > 0 ? bytes : 1);
	int count = given ? given : bytes > 100000 ? 500 : 5000;
	double best = 0;

	if (buffer == NULL) {
		MPI_Abort(MPI_COMM_WORLD, 1);
		return;
	}
	memset(buffer, 1, bytes);
	for (int round = 0; round < (given ? 1 : 5); round++) {
		double t = half_trip_us(buffer, bytes, rank, count);

		if (round == 0 || t < best) {
			best = t;
		}
	}
	if (rank == 0) {
		printf("%d %.3f\n", bytes, best);
	}
	free(buffer);
}

int main(int argc, char **argv)
{
	static const int sizes[] = { 8, 65536, 1048576 };
	int rank, size, first = 1, count = 0;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	if (size != 2) {
		fprintf(stderr, "pingpong: needs two ranks, has %d\n", size);
		MPI_Abort(MPI_COMM_WORLD, 2);
	}
	if (argc > 2 && strcmp(argv[1], "-n") == 0) {
		count = atoi(argv[2]);
		first = 3;
	}
	for (int i = first; i < argc; i++) {
		measure(atoi(argv[i]), rank, count);
	}
	for (int i = 0; i < 3 && argc == 1; i++) {
		measure(sizes[i], rank, 0);
	}
	MPI_Finalize();
	return 0;
}
